import type { Page } from "@playwright/test";
import { accessible, demoVideo, drop, expect, gateway, photo, signIn, test, visit } from "./support";

// Without a mouse. What is made here is taken away again.
test.describe.configure({ mode: "serial" });

/** Presses Tab until the focus has come round, and expects it to have been on everything that can be used, visibly. */
async function reachable(page: Page) {
  const wanted = await page.evaluate(() => {
    // Pages behind a modal dialog, and what a closed menu holds, cannot be used.
    const root = document.querySelector("dialog[open]") ?? document.querySelector(":popover-open") ?? document;
    const all = [...root.querySelectorAll<HTMLElement>("a[href], button:enabled, input:enabled, video[controls]")];
    const usable = all.filter((each) => each.checkVisibility({ visibilityProperty: true }));
    // One of a group of radio buttons has a place in the order; the arrow keys go to the others.
    const radios = new Set<string>();
    const stops = usable.filter((each) => {
      if (!(each instanceof HTMLInputElement) || each.type !== "radio") return true;
      return !radios.has(each.name) && radios.add(each.name);
    });
    stops.forEach((each, index) => {
      each.dataset.stop = String(index);
    });
    return stops.map((each) => each.getAttribute("aria-label") || each.textContent || each.id);
  });
  expect(wanted.length).toBeGreaterThan(0);
  const reached = new Set<string>();
  const unseen = new Set<string>();
  for (let press = 0; press < 3 * wanted.length + 30 && reached.size < wanted.length; press += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement | null;
      if (!element || element === document.body) return null;
      // Or on one of the browser's own controls in it, which draw the focus themselves.
      const inVideo = element.matches("video:not(:focus-visible)");
      const rings = [element, element.closest(".drop, .player")].map((each) => (each ? getComputedStyle(each) : null));
      const ring =
        inVideo ||
        rings.some((style) => style && style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) > 0);
      return { stop: element.dataset.stop ?? "", name: element.outerHTML.slice(0, 120), ring };
    });
    if (at?.stop) reached.add(at.stop);
    if (at && !at.ring) unseen.add(at.name);
  }
  expect(wanted.filter((_, index) => !reached.has(String(index)))).toEqual([]);
  expect([...unseen], "where the focus cannot be seen").toEqual([]);
}

test("somebody is enrolled, renamed and forgotten without a mouse", async ({ page }) => {
  await page.goto("/enrol/");
  await expect(page.getByLabel("API key")).toBeVisible();
  await reachable(page);
  await signIn(page, "/enrol/");
  await reachable(page);
  await page.getByLabel("Name of the person").focus();
  await page.keyboard.type("Keyboard");
  await page.keyboard.press("Tab");
  const chooser = page.waitForEvent("filechooser");
  await page.keyboard.press("Enter");
  await (await chooser).setFiles(photo("biden.jpg"));
  await expect(page.locator(".photo-card[data-state=accepted]")).toHaveCount(1);
  await reachable(page);

  await visit(page, "People");
  const more = page.getByRole("button", { name: "More for Keyboard" });
  await expect(more).toBeVisible();
  await reachable(page);
  await more.focus();
  await page.keyboard.press("Enter");
  await accessible(page);
  await reachable(page);
  await page.getByRole("button", { name: "Rename…" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("New name")).toBeFocused();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("Keys");
  await reachable(page);
  await page.getByLabel("New name").press("Enter");
  await page.getByRole("link", { name: /Keys/ }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Keys" })).toBeVisible();
  await reachable(page);
  for (const deed of ["Merge…", "Forget…"]) {
    await page.getByRole("button", { name: deed }).focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("dialog")).toBeVisible();
    await reachable(page);
    if (deed === "Merge…") await page.keyboard.press("Escape");
  }
  await page.getByRole("button", { name: "Forget", exact: true }).press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "People" })).toBeVisible();
  await expect(page.getByRole("link", { name: /Keys/ })).toHaveCount(0);
});

test("a video is gone through without a mouse", async ({ page }) => {
  await signIn(page, "/videos/");
  await drop(page.getByLabel("Drop videos here"), [demoVideo]);
  const open = page.getByRole("list", { name: "Uploads" }).getByRole("link", { name: "Open" });
  await expect(open).toBeVisible();
  await reachable(page);
  await open.press("Enter");
  await expect(page.locator(".page-head .badge")).toHaveText("Done", { timeout: 150_000 });
  const video = page.locator("video");
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.readyState)).toBeGreaterThan(1);
  // Until everything is there that it waits for when it is done.
  const session = new URL(page.url()).searchParams.get("id");
  const { groups } = await gateway<{ groups: unknown[] }>(page, `/v1/sessions/${session}/unknown`);
  await expect(page.getByLabel(/^Name for/)).toHaveCount(groups.length);
  await reachable(page);
  await page
    .getByRole("button", { name: /, 0:09.*go there/ })
    .first()
    .press("Enter");
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.currentTime)).toBeGreaterThan(8.9);
  await page.getByRole("button", { name: "Delete…" }).press("Enter");
  await reachable(page);
  await page.getByRole("button", { name: "Delete", exact: true }).press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Videos" })).toBeVisible();
});

test("settings are reached, dialogs give the focus back, and signing out forgets the key", async ({ page }) => {
  await signIn(page);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("main")).toBeFocused();
  for (const path of ["Search", "Settings"]) {
    await visit(page, path);
    await reachable(page);
  }
  for (const name of ["New key…", "New webhook…"]) {
    const button = page.getByRole("button", { name });
    await button.press("Enter");
    await expect(page.getByRole("dialog")).toBeVisible();
    await reachable(page);
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toHaveCount(0);
    await expect(button).toBeFocused();
  }
  await page.getByRole("button", { name: "Sign out" }).press("Enter");
  await expect(page.getByLabel("API key")).toBeVisible();
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});
