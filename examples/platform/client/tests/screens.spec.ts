import { type Page, test } from "@playwright/test";
import { demoVideo, expect, fixture, photo, signIn, visit } from "./support";

// Pictures of every page, to be looked at: SCREENS=folder npx playwright test screens
const folder = process.env.SCREENS;
test.skip(!folder, "SCREENS names no folder");

const sizes = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

async function shoot(page: Page, name: string) {
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(250);
      await page.screenshot({
        path: `${folder}/${name}-${size}-${colorScheme}.png`,
        fullPage: !name.startsWith("dialog"),
      });
    }
  }
  await page.setViewportSize(sizes.desktop);
}

test("every page", async ({ page }) => {
  test.setTimeout(300_000);
  await page.goto("/people/");
  await page.getByLabel("API key").waitFor();
  await shoot(page, "sign-in");
  await signIn(page);
  await expect(page.getByText("Nobody is enrolled yet.")).toBeVisible();
  await shoot(page, "people-empty");

  await visit(page, "Enrol");
  await page.getByLabel("Name of the person").fill("Obama");
  await page
    .getByLabel("Drop photos here")
    .setInputFiles([photo("obama.jpg"), photo("obama2.jpg"), fixture("scene.png")]);
  await expect(page.locator(".photo-card[data-state=accepted]")).toHaveCount(2);
  await page.getByLabel("Name of the person").fill("Biden");
  await page.getByLabel("Drop photos here").setInputFiles([photo("biden.jpg")]);
  await expect(page.locator(".photo-card[data-state=accepted]")).toHaveCount(3);
  await shoot(page, "enrol");

  await visit(page, "Videos");
  await page.getByLabel("Drop videos here").setInputFiles(demoVideo);
  await expect(page.getByRole("list", { name: "Sessions" })).toContainText(/Running|Done/);
  await shoot(page, "videos");
  await page.getByRole("list", { name: "Sessions" }).getByRole("link").first().click();
  await expect(page.locator(".page-head .badge")).toHaveText("Done", { timeout: 90_000 });
  await page.locator("video").evaluate((video: HTMLVideoElement) => {
    video.currentTime = 4.5;
  });
  await page.waitForTimeout(1500);
  await shoot(page, "session");

  const unknown = page.getByRole("list", { name: "Unknown people" }).locator("> li");
  for (const name of ["Amara", "Chidi"]) {
    const left = await unknown.count();
    await unknown
      .first()
      .getByLabel(/^Name for/)
      .fill(name);
    await unknown
      .first()
      .getByRole("button", { name: /^Enrol/ })
      .click();
    await expect.poll(() => unknown.count()).toBeLessThan(left);
  }
  await visit(page, "People");
  await expect(page.locator(".person img.photo")).toHaveCount(4);
  await shoot(page, "people");
  await page.getByRole("button", { name: "More for Biden" }).click();
  await shoot(page, "dialog-menu");
  await page.getByRole("button", { name: "Merge…" }).click();
  await shoot(page, "dialog-merge");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "More for Biden" }).click();
  await page.getByRole("button", { name: "Forget…" }).click();
  await shoot(page, "dialog-forget");
  await page.getByRole("button", { name: "Keep" }).click();
  await page.getByRole("link", { name: /Obama/ }).click();
  await expect(page.locator(".photo-card img")).toHaveCount(2);
  await shoot(page, "person");

  await visit(page, "Search");
  await page.getByLabel("Drop a photo here").setInputFiles(photo("obama3.jpg"));
  await expect(page.locator(".face")).toHaveCount(1);
  await shoot(page, "search");

  await visit(page, "Settings");
  await page.getByRole("button", { name: "New webhook…" }).click();
  await page.getByLabel("Address").fill("https://example.com/hook");
  await page.getByLabel("Secret").fill("a secret of more than sixteen letters");
  await page.getByRole("button", { name: "Set up" }).click();
  await expect(page.getByRole("list", { name: "Webhooks" })).toBeVisible();
  await page.waitForTimeout(6500);
  await shoot(page, "settings");
  await page.getByRole("button", { name: "New key…" }).click();
  await shoot(page, "dialog-key");
});
