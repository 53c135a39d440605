import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { test as base, expect, type Locator, type Page } from "@playwright/test";

export { expect };

const root = resolve(import.meta.dirname, "../../../..");
const home = process.env.FACEREC_HOME ?? resolve(root, ".facerec");

export const KEY = process.env.KEY ?? "";
export const demoVideo = resolve(home, "demo.mp4");
export const photo = (name: string) => resolve(home, "photos/people", name);
export const stranger = (name: string) => resolve(home, "photos/strangers", name);
export const fixture = (name: string) => resolve(root, "fixtures/images", name);

/** A test fails when a page breaks the policy, throws, or opens a dialog of the browser's. */
export const test = base.extend<{ clean: undefined }>({
  clean: [
    async ({ page }, use) => {
      const wrong: string[] = [];
      // The gateway's policy lets pages run their own files and nothing else.
      page.on("response", (response) => {
        const policy = response.headers()["content-security-policy"] ?? "";
        if (
          response.request().isNavigationRequest() &&
          response.ok() &&
          !policy.includes("script-src 'self'; style-src 'self';")
        ) {
          wrong.push(`policy of ${response.url()}: ${policy}`);
        }
      });
      page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
      page.on("console", (message) => {
        if (/content security policy|hydrat/i.test(message.text())) wrong.push(message.text());
      });
      page.on("dialog", (dialog) => {
        wrong.push(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      await use(undefined);
      expect(wrong).toEqual([]);
    },
    { auto: true },
  ],
});

export async function signIn(page: Page, path = "/people/", key = KEY) {
  await page.goto(path);
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
}

/** Goes to a page as people do, by the navigation, so that what is under way stays. */
export async function visit(page: Page, name: string) {
  await page
    .getByRole("navigation", { name: "Main" })
    .getByRole("link", { name: new RegExp(`^${name}`) })
    .click();
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
}

/** Drops files as a mouse does: they come with the event, not through the file chooser. */
export async function drop(target: Locator, paths: string[]) {
  const files = paths.map((path) => ({ name: basename(path), bytes: readFileSync(path).toString("base64") }));
  await target.evaluate((element, given) => {
    const data = new DataTransfer();
    for (const { name, bytes } of given) {
      const content = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
      data.items.add(new File([content], name, { type: "image/jpeg" }));
    }
    for (const type of ["dragenter", "dragover", "drop"]) {
      element.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
  }, files);
}

/** No violation of WCAG 2.2 A and AA that a machine can find, in light and dark; nothing wider than a phone or a desktop. */
export async function accessible(page: Page) {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page })
      .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
      .analyze();
    const told = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`,
    );
    expect(told, colorScheme).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: null });
  const size = page.viewportSize();
  for (const width of [390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(over, `pixels the page is wider than a window of ${width}`).toBeLessThanOrEqual(0);
  }
  if (size) await page.setViewportSize(size);
}

/** Asks the gateway itself, as the tests' own witness. */
export async function gateway<T>(page: Page, path: string, method = "GET", data?: unknown): Promise<T> {
  const answer = await page.request.fetch(path, { method, data, headers: { Authorization: `Bearer ${KEY}` } });
  expect(answer.ok(), `${method} ${path}: ${answer.status()}`).toBe(true);
  return (await answer.text()) === "" ? (undefined as T) : ((await answer.json()) as T);
}
