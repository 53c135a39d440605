import type { Page } from "@playwright/test";
import { demoVideo, drop, expect, fixture, gateway, photo, signIn, test, visit } from "./support";

// Pictures of every page, dialog and state, to be looked at: SCREENS=folder scripts/test-client.sh screens
const folder = process.env.SCREENS;

const sizes = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

/** Whole pages; of dialogs, what is in the window. */
async function shoot(page: Page, name: string) {
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(250);
      const dialog = await page.locator("dialog[open], :popover-open").count();
      await page.screenshot({ path: `${folder}/${name}-${size}-${colorScheme}.png`, fullPage: dialog === 0 });
    }
  }
  await page.setViewportSize(sizes.desktop);
}

/** Something that waits until it may go. */
function hold() {
  let go = () => {};
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  return { held, go };
}

/** Opens what a button opens, takes its picture, and closes it. */
async function shootDialog(page: Page, button: string, name: string) {
  await page.getByRole("button", { name: button }).first().click();
  await shoot(page, name);
  await page.keyboard.press("Escape");
}

test("signing in, and nothing there yet", async ({ page }) => {
  await page.goto("/people/");
  await page.getByLabel("API key").fill("not-a-key");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("not known here")).toBeVisible();
  await shoot(page, "sign-in");
  await signIn(page);
  await expect(page.getByText("Nobody is enrolled yet.")).toBeVisible();
  await shoot(page, "people-empty");
  await visit(page, "Videos");
  await expect(page.getByText("No video was looked at yet.")).toBeVisible();
  await shoot(page, "videos-empty");
  await visit(page, "Search");
  await shoot(page, "search-empty");
  await page.goto("/session/");
  await shoot(page, "session-none");
  await page.goto("/no-such-page/");
  await expect(page.getByText("There is no such page.")).toBeVisible();
  await shoot(page, "not-found");
});

test("people", async ({ page }) => {
  test.setTimeout(300_000);
  await signIn(page, "/enrol/");
  await drop(page.getByLabel("Drop photos here"), [photo("obama.jpg"), photo("obama2.jpg")]);
  await shoot(page, "enrol-held");
  await page.getByLabel("Name of the person").fill("Obama");
  await page.getByRole("button", { name: "Enrol 2 photos" }).click();
  await page.getByLabel("Drop photos here").setInputFiles([fixture("scene.png")]);
  await expect(page.locator(".photo-card[data-state=accepted]")).toHaveCount(2);
  await page.getByLabel("Name of the person").fill("Biden");
  await page.getByLabel("Drop photos here").setInputFiles([photo("biden.jpg")]);
  await expect(page.locator(".photo-card[data-state=accepted]")).toHaveCount(3);
  await shoot(page, "enrol");
  await visit(page, "People");
  await page.getByRole("link", { name: /Obama/ }).click();
  await expect(page.locator(".photo-card img").nth(1)).toBeVisible();
  await shoot(page, "person");
  await shootDialog(page, "Rename…", "dialog-rename");
  await visit(page, "Search");
  await page.getByLabel("Drop a photo here").setInputFiles(photo("obama3.jpg"));
  await expect(page.locator(".face")).toHaveCount(1);
  await shoot(page, "search");
});

test("videos", async ({ page }) => {
  test.setTimeout(300_000);
  await signIn(page, "/videos/");
  const sending = hold();
  await page.route("**/v1/uploads/*", async (route) => {
    if (route.request().method() === "PATCH") await sending.held;
    await route.continue();
  });
  await page.getByLabel("Drop videos here").setInputFiles(demoVideo);
  await expect(page.getByText("Uploading", { exact: true })).toBeVisible();
  await shoot(page, "videos-uploading");
  sending.go();
  const text = Buffer.from("This is no video.");
  await page
    .getByLabel("Drop videos here")
    .setInputFiles([{ name: "no-video.mp4", mimeType: "video/mp4", buffer: text }]);
  await expect(page.getByRole("list", { name: "Sessions" })).toContainText("Failed", { timeout: 90_000 });
  await shoot(page, "videos");
  await page.getByRole("list", { name: "Sessions" }).getByRole("link", { name: "no-video.mp4" }).click();
  await expect(page.locator(".page-head .badge")).toHaveText("Failed");
  await page.waitForTimeout(1000);
  await shoot(page, "session-failed");
  await shootDialog(page, "Delete…", "dialog-delete");

  await visit(page, "Videos");
  await page.getByRole("list", { name: "Sessions" }).getByRole("link", { name: "demo.mp4" }).click();
  await expect(page.locator(".page-head .badge")).toHaveText("Done", { timeout: 90_000 });
  await page.locator("video").evaluate((video: HTMLVideoElement) => {
    video.currentTime = 4.5;
  });
  await page.waitForTimeout(1500);
  await shoot(page, "session");

  // As it looks while it runs: what the gateway said then.
  const id = new URL(page.url()).searchParams.get("id") as string;
  const done = await gateway<Record<string, unknown>>(page, `/v1/sessions/${id}`);
  await page.route(`**/v1/sessions/${id}`, (route) =>
    route.fulfill({ json: { ...done, state: "running", progress: 0.62 } }),
  );
  await page.route("**/events", () => undefined);
  await page.reload();
  await expect(page.getByText("62% looked at")).toBeVisible();
  await page.waitForTimeout(1000);
  await shoot(page, "session-running");
  await page.unrouteAll();
  await page.reload();

  const unknown = page.getByRole("list", { name: "Unknown people" }).locator("> li");
  for (const name of ["Amara", "Chidi"]) {
    await expect(unknown.first()).toBeVisible();
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
  await shootDialog(page, "More for Biden", "menu");
  for (const deed of ["Merge…", "Forget…"]) {
    await page.getByRole("button", { name: "More for Biden" }).click();
    await shootDialog(page, deed, `dialog-${deed.slice(0, -1).toLowerCase()}`);
  }
});

test("settings, loading and failing", async ({ page }) => {
  await signIn(page, "/settings/");
  await page.getByRole("button", { name: "New webhook…" }).click();
  await shoot(page, "dialog-webhook");
  await page.getByLabel("Address").fill("https://example.com/hook");
  await page.getByLabel("Secret").fill("a secret of more than sixteen letters");
  await page.getByRole("button", { name: "Set up" }).click();
  await expect(page.getByRole("list", { name: "Webhooks" })).toBeVisible();
  await shoot(page, "settings");
  const delivery = (number: number, state: string, answer: string | null) => {
    const event = number === 2 ? "session.failed" : "session.done";
    return {
      id: String(number),
      event,
      state,
      answer,
      attempts: [1, 10, 3][number],
      created_ms: Date.now() - number * 4e6,
    };
  };
  const items = [delivery(0, "delivered", "ok"), delivery(1, "dead", "status 502"), delivery(2, "pending", "timeout")];
  await page.route("**/deliveries?*", (route) => route.fulfill({ json: { items, next: null } }));
  await shootDialog(page, "Deliveries to", "dialog-deliveries");
  await page.getByRole("button", { name: "New key…" }).click();
  await shoot(page, "dialog-key");
  await page.getByLabel("What is it for?").fill("Front door");
  await page.getByRole("button", { name: "Make key" }).click();
  await shoot(page, "dialog-made");
  await page.getByRole("button", { name: "Done" }).click();
  await shootDialog(page, "Revoke Front door", "dialog-revoke");

  const loading = hold();
  await page.route("**/v1/persons?*", async (route) => {
    await loading.held;
    await route.fulfill({
      status: 503,
      json: { error: { code: "unavailable", message: "The database is starting.", request_id: "r" } },
    });
  });
  await visit(page, "People");
  await shoot(page, "people-loading");
  loading.go();
  await expect(page.getByText("The database is starting.")).toBeVisible();
  await shoot(page, "people-failed");

  await page.unrouteAll();
  const { key } = await gateway<{ key: string }>(page, "/v1/keys", "POST", { name: "Reader", scopes: ["read"] });
  await visit(page, "Settings");
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, "/enrol/", key);
  await shoot(page, "enrol-forbidden");
  await visit(page, "Search");
  await shoot(page, "search-forbidden");
  await visit(page, "Settings");
  await shoot(page, "settings-reader");
});
