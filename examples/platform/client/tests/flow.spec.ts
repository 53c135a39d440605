import type { Page } from "@playwright/test";
import { boxAt, contain } from "../lib/boxes";
import type { Box, BoxRow } from "../lib/types";
import { accessible, demoVideo, drop, expect, fixture, gateway, photo, signIn, test, visit } from "./support";

// What a user does with the platform, in order; each step builds on the one before.
test.describe.configure({ mode: "serial" });

interface Track {
  track: number;
  person: string | null;
}

const sessionId = (page: Page) => new URL(page.url()).searchParams.get("id") as string;

const trackItems = async (page: Page) =>
  (await gateway<{ items: Track[] }>(page, `/v1/sessions/${sessionId(page)}/tracks?limit=200`)).items;

async function enrol(page: Page, name: string, files: string[], accepted: number) {
  await page.getByLabel("Name of the person").fill(name);
  await page.getByLabel("Drop photos here").setInputFiles(files);
  await expect(page.locator(".photo-card[data-state=accepted]", { hasText: `for ${name}` })).toHaveCount(accepted);
}

async function openSession(page: Page) {
  await visit(page, "Videos");
  await page.getByRole("list", { name: "Sessions" }).getByRole("link", { name: "demo.mp4" }).first().click();
  await expect(page.getByRole("heading", { level: 1, name: "demo.mp4" })).toBeVisible();
}

test("a key is asked for, and a wrong one is refused", async ({ page }) => {
  await page.goto("/people/");
  await accessible(page);
  await page.getByLabel("API key").fill("not-a-key");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "not known here" })).toBeVisible();
  await signIn(page);
  await expect(page.getByRole("heading", { name: "People" })).toBeVisible();
  await accessible(page);
  expect(await page.evaluate(() => localStorage.length)).toBe(0);
});

test("two people are enrolled from photos, and told why others are not accepted", async ({ page }) => {
  await signIn(page, "/enrol/");
  await enrol(page, "Obama", [photo("obama.jpg"), photo("obama2.jpg"), fixture("scene.png")], 2);
  const refused = page.locator(".photo-card[data-state=rejected]");
  await expect(refused).toHaveCount(1);
  await expect(refused).toContainText("No face was found");
  await page.getByLabel("Name of the person").fill("Biden");
  await drop(page.getByLabel("Drop photos here"), [photo("biden.jpg")]);
  await expect(page.locator(".photo-card[data-state=accepted]", { hasText: "for Biden" })).toHaveCount(1);
  await accessible(page);
  await visit(page, "People");
  const people = page.getByRole("list", { name: "People" });
  await expect(people.getByRole("listitem")).toHaveCount(2);
  await expect(people.locator("img.photo")).toHaveCount(2);
  await expect(people.getByRole("listitem").filter({ hasText: "Obama" })).toContainText("2 faces");
  await accessible(page);
  await page.getByLabel("Search people by name").fill("bid");
  await expect(people.getByRole("listitem")).toHaveCount(1);
  await page.getByLabel("Search people by name").fill("nobody of this name");
  await expect(page.getByText("Nobody's name contains")).toBeVisible();
});

test("a person's page shows the photos, and renames", async ({ page }) => {
  await signIn(page);
  await page.getByRole("link", { name: /Biden/ }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Biden" })).toBeVisible();
  await expect(page.getByAltText("Photo biden.jpg")).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "Rename…" }).click();
  await accessible(page);
  await page.getByLabel("New name").fill("Obama");
  await page.getByRole("button", { name: "Rename", exact: true }).click();
  await expect(page.getByRole("alert").filter({ hasText: "merge the two" })).toBeVisible();
  await page.getByLabel("New name").fill("Joe Biden");
  await page.getByRole("button", { name: "Rename", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Joe Biden" })).toBeVisible();
});

test("a video is uploaded over a line that breaks, its progress watched, and everybody is named once per track", async ({
  page,
}) => {
  await signIn(page, "/videos/");
  let broken = true;
  await page.route("**/v1/uploads/*", (route) => {
    if (route.request().method() === "PATCH" && broken) return route.abort("connectionreset");
    return route.continue();
  });
  let cut = 0;
  await page.route("**/events", (route) => (cut++ === 0 ? route.abort("connectionreset") : route.continue()));
  await page.getByLabel("Drop videos here").setInputFiles(demoVideo);
  await expect(page.getByText("Connection lost, trying again")).toBeVisible();
  await accessible(page);
  broken = false;
  await page.getByRole("list", { name: "Uploads" }).getByRole("link", { name: "Open" }).click();
  const badge = page.locator(".page-head .badge");
  // A machine with many cores may be through before the page is open; live.spec.ts watches a long video.
  await expect(page.getByRole("progressbar", { name: "Progress" }).or(badge.getByText("Done")).first()).toBeVisible();
  await accessible(page);
  await expect(badge).toHaveText("Done", { timeout: 150_000 });
  expect(cut).toBeGreaterThan(1);

  const items = await trackItems(page);
  const results = page.getByRole("list", { name: "Results, one per track" }).locator("> li");
  await expect(results).toHaveCount(items.length);
  const shown = await results.evaluateAll((all) =>
    all.map((each) => [(each as HTMLElement).dataset.track, (each as HTMLElement).dataset.person]),
  );
  expect(new Map(shown as [string, string][])).toEqual(
    new Map(items.map((item) => [String(item.track), item.person ?? ""])),
  );
  expect(items.filter((item) => item.person === "Obama")).toHaveLength(1);
  expect(items.filter((item) => item.person === "Joe Biden")).toHaveLength(1);
  expect(items.filter((item) => item.person === null).length).toBeGreaterThan(3);
  await accessible(page);
});

test("an upload goes on where it was after the page was closed", async ({ page }) => {
  await signIn(page, "/videos/");
  const asked: string[] = [];
  page.on("request", (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
  const begun = () => asked.filter((each) => each === "POST /v1/uploads").length;
  await page.route("**/v1/uploads/*", (route) =>
    route.request().method() === "PATCH" ? route.abort() : route.continue(),
  );
  await page.getByLabel("Drop videos here").setInputFiles(demoVideo);
  await expect(page.getByText("Connection lost, trying again")).toBeVisible();
  expect(begun()).toBe(1);
  await page.reload();
  await page.unroute("**/v1/uploads/*");
  await page.getByLabel("Drop videos here").setInputFiles(demoVideo);
  await page.getByRole("list", { name: "Uploads" }).getByRole("link", { name: "Open" }).click();
  expect(begun()).toBe(1);
  await expect(page.getByRole("heading", { level: 1, name: "demo.mp4" })).toBeVisible();
  await page.getByRole("button", { name: "Delete…" }).click();
  await accessible(page);
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Videos" })).toBeVisible();
  await expect(page.getByRole("list", { name: "Sessions" }).getByRole("listitem")).toHaveCount(1);
});

/** What the canvas over the video shows: how many pixels, and where, in CSS pixels. */
const drawn = (page: Page) =>
  page.locator("canvas").evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
    const at = { count: 0, left: canvas.width, right: 0, bottom: 0 };
    for (let n = 3; n < data.length; n += 4) {
      if (data[n] === 0) continue;
      const pixel = (n - 3) / 4;
      const [x, y] = [pixel % canvas.width, Math.floor(pixel / canvas.width)];
      at.count += 1;
      at.left = Math.min(at.left, x);
      at.right = Math.max(at.right, x + 1);
      at.bottom = Math.max(at.bottom, y + 1);
    }
    const { width, height } = canvas.getBoundingClientRect();
    const ratio = canvas.width / width;
    return { ...at, left: at.left / ratio, right: at.right / ratio, bottom: at.bottom / ratio, width, height };
  });

test("the video plays with a box around whoever is in the picture", async ({ page }) => {
  await signIn(page);
  const boxed = new Set<string>();
  page.on("response", (answer) => answer.ok() && /\/boxes$/.test(answer.url()) && boxed.add(answer.url()));
  await openSession(page);
  const video = page.locator("video");
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.readyState)).toBeGreaterThan(1);
  const tracks = await trackItems(page);
  await expect.poll(() => boxed.size).toBe(tracks.length);
  await expect(page.locator("[data-present]")).toHaveText("Obama");
  const inked = async () => (await drawn(page)).count;
  // Written down in the page while it plays: however late the test looks, nobody is missed.
  const seen = await video.evaluate(
    (element: HTMLVideoElement) =>
      new Promise<string[]>((resolve, reject) => {
        const present = document.querySelector("[data-present]") as HTMLElement;
        const names: string[] = [];
        const write = () => names.push(present.textContent ?? "");
        new MutationObserver(write).observe(present, { childList: true, characterData: true, subtree: true });
        write();
        element.addEventListener("ended", () => resolve(names));
        element.play().catch(reject);
      }),
  );
  const named = seen.filter((name) => name === "Obama" || name === "Joe Biden");
  expect(named.filter((name, index) => name !== named[index - 1])).toEqual(["Obama", "Joe Biden", "Obama"]);
  await page.getByRole("button", { name: /^Joe Biden, 0:0.*go there/ }).click();
  await expect(page.locator("[data-present]")).toHaveText("Joe Biden");
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.currentTime)).toBeGreaterThan(5.9);
  await expect.poll(inked).toBeGreaterThan(500);

  // The box is where the gateway says it is at that time.
  await video.evaluate((element: HTMLVideoElement) => {
    element.currentTime = 7.5;
  });
  await expect(page.locator("[data-present]")).toHaveText("Joe Biden");
  const { track } = tracks.find((item) => item.person === "Joe Biden") as Track;
  const { boxes } = await gateway<{ boxes: BoxRow[] }>(page, `/v1/sessions/${sessionId(page)}/tracks/${track}/boxes`);
  const [x1, , x2, y2] = boxAt(boxes, 7500) as Box;
  await expect(async () => {
    const { width, height, ...at } = await drawn(page);
    const { scale, left, top } = contain(640, 360, width, height);
    // Half of the line is outside of the box.
    expect(Math.abs(at.left - (left + x1 * scale))).toBeLessThan(4);
    expect(Math.abs(at.bottom - (top + y2 * scale))).toBeLessThan(4);
    expect(at.right - (left + x2 * scale)).toBeGreaterThan(-4);
  }).toPass();
  await page.getByLabel("Show boxes").uncheck();
  await expect.poll(inked).toBe(0);
});

test("a video whose ticket is over gets a new one", async ({ page }) => {
  await signIn(page);
  let refused = 0;
  await page.route("**/video?ticket=*", (route) => {
    if (refused++ === 0)
      return route.fulfill({ status: 401, json: { error: { code: "unauthorized", message: "", request_id: "" } } });
    return route.continue();
  });
  await openSession(page);
  const video = page.locator("video");
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.readyState)).toBeGreaterThan(1);
  expect(refused).toBeGreaterThan(1);
});

test("an unknown person is enrolled from the video", async ({ page }) => {
  await signIn(page);
  await openSession(page);
  const groups = page.getByRole("list", { name: "Unknown people" }).locator("> li");
  await expect(groups.first()).toBeVisible();
  const before = await groups.count();
  await groups
    .first()
    .getByLabel(/^Name for/)
    .fill("Alice");
  await groups
    .first()
    .getByRole("button", { name: /^Enrol/ })
    .click();
  await expect(page.getByRole("status").filter({ hasText: "Alice is enrolled" })).toBeVisible();
  await expect(page.locator(".result[data-person=Alice]").first()).toBeVisible();
  await expect.poll(() => groups.count()).toBeLessThan(before);
  expect((await trackItems(page)).filter((item) => item.person === "Alice").length).toBeGreaterThan(0);
  await visit(page, "People");
  await expect(page.getByRole("link", { name: /Alice/ })).toBeVisible();
});

test("a name is text, whatever is in it", async ({ page }) => {
  await signIn(page);
  const name = `<img src=x onerror="alert('run')"><script>alert('run')</script>'; DROP TABLE persons; --`;
  await page.getByRole("button", { name: "More for Alice" }).click();
  await page.getByRole("button", { name: "Rename…" }).click();
  await page.getByLabel("New name").fill(name);
  await page.getByRole("button", { name: "Rename", exact: true }).click();
  const card = page.getByRole("list", { name: "People" }).getByRole("listitem").filter({ hasText: name });
  await expect(card).toBeVisible();
  await accessible(page);
  await openSession(page);
  await expect(page.locator(".result").filter({ hasText: name }).first()).toBeVisible();
  await expect(page.locator("img[src=x]")).toHaveCount(0);
});

test("search by photo names the person", async ({ page }) => {
  await signIn(page, "/search/");
  await page.getByLabel("Drop a photo here").setInputFiles(photo("obama3.jpg"));
  const faces = page.locator(".face");
  await expect(faces).toHaveCount(1);
  await expect(faces.first()).toContainText("Recognised");
  await accessible(page);
  await page.getByLabel("Drop a photo here").setInputFiles(fixture("scene.png"));
  await expect(page.getByText("No face was found in this photo.")).toBeVisible();
});

test("a person is forgotten, everywhere", async ({ page }) => {
  await signIn(page);
  await page.getByRole("button", { name: "More for Joe Biden" }).click();
  await page.getByRole("button", { name: "Forget…" }).click();
  await accessible(page);
  await page.getByRole("button", { name: "Keep" }).click();
  await expect(page.getByRole("link", { name: /Joe Biden/ })).toBeVisible();
  await page.getByRole("button", { name: "More for Joe Biden" }).click();
  await page.getByRole("button", { name: "Forget…" }).click();
  await page.getByRole("button", { name: "Forget", exact: true }).click();
  await expect(page.getByRole("status").filter({ hasText: "1 face removed" })).toBeVisible();
  await expect(page.getByRole("link", { name: /Joe Biden/ })).toHaveCount(0);
  await openSession(page);
  await expect(page.locator(".result[data-person=Obama]")).toHaveCount(1);
  await expect(page.getByRole("main").getByText("Joe Biden")).toHaveCount(0);
  expect((await trackItems(page)).filter((item) => item.person === "Joe Biden")).toHaveLength(0);
  const forgotten = page.locator(".result").filter({ hasText: "This person was forgotten." });
  await expect(forgotten).toHaveCount(1);
  await expect(forgotten.getByRole("button")).toHaveCount(0);
  await expect(page.getByRole("list", { name: "Unknown people" }).getByText("Forgotten")).toHaveCount(0);
  await visit(page, "Search");
  await page.getByLabel("Drop a photo here").setInputFiles(photo("biden.jpg"));
  await expect(page.locator(".face")).toContainText("Unknown");
  await expect(page.getByRole("main").getByText("Joe Biden")).toHaveCount(0);
});

test("one photo of a person is removed, and not their last", async ({ page }) => {
  await signIn(page, "/people/");
  await page.getByRole("link", { name: /Obama/ }).click();
  const photos = page.getByRole("list", { name: "Photos" }).getByRole("listitem");
  const accepted = photos.filter({ hasText: /Accepted/ });
  await expect(accepted).toHaveCount(2);
  await accepted
    .first()
    .getByRole("button", { name: /^Remove/ })
    .click();
  await accessible(page);
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await expect(accepted).toHaveCount(1);
  // The person has the photo's face alone now.
  await accepted.getByRole("button", { name: /^Remove/ }).click();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("This is the person's last face.");
});

test("two names of one person are merged", async ({ page }) => {
  await signIn(page);
  const other = page.getByRole("list", { name: "People" }).getByRole("listitem").filter({ hasText: "onerror" });
  await page.getByRole("button", { name: "More for Obama" }).click();
  await page.getByRole("button", { name: "Merge…" }).click();
  await accessible(page);
  await page.getByRole("radio", { name: /onerror/ }).check();
  await page.getByRole("button", { name: "Merge", exact: true }).click();
  await expect(other).toHaveCount(0);
  await expect(page.getByRole("list", { name: "People" }).getByRole("listitem")).toHaveCount(1);
});
