import { execFileSync } from "node:child_process";
import { accessible, demoVideo, expect, signIn, test } from "./support";

// Videos on their way, and those that come to nothing. What is made here is taken away again.

test("a long video is watched while it runs, and stopped", async ({ page }, info) => {
  // The demo and a dark minute, after which its people count as gone, again and again for 100 minutes: no machine is through with it
  // before it is stopped.
  const [one, long] = [info.outputPath("one.mp4"), info.outputPath("long.mp4")];
  const ffmpeg = (...options: string[]) => execFileSync("ffmpeg", ["-v", "error", ...options]);
  const joined = "[0:v]setsar=1[a];[1:v]setsar=1,format=yuv420p[b];[a][b]concat=n=2:v=1";
  const dark = ["-f", "lavfi", "-i", "color=black:s=640x360:r=25:d=60"];
  ffmpeg("-i", demoVideo, ...dark, "-filter_complex", joined, "-c:v", "libx264", "-preset", "ultrafast", one);
  ffmpeg("-stream_loop", "79", "-i", one, "-c", "copy", long);

  await signIn(page, "/videos/");
  await page.getByLabel("Drop videos here").setInputFiles(long);
  const listed = page.getByRole("list", { name: "Sessions" }).getByRole("listitem").filter({ hasText: "long.mp4" });
  await expect(listed.getByRole("progressbar")).toBeVisible();
  await listed.getByRole("link").click();
  const bar = page.getByRole("progressbar", { name: "Progress" });
  await expect(bar).toBeVisible();
  const value = async () => Number(await bar.getAttribute("value"));
  const first = await value();
  // Results come while it runs.
  const results = page.getByRole("list", { name: "Results, one per track" }).locator("> li");
  await expect(results.first()).toBeVisible({ timeout: 90_000 });
  await expect(page.getByText(/looked at, [1-9]\d* tracks? so far/)).toBeVisible();
  await expect(page.locator(".page-head .badge")).toHaveText("Running");
  await accessible(page);
  // And can be looked at: who was found has a box already.
  await page
    .getByRole("button", { name: /go there/ })
    .first()
    .click();
  await expect(page.locator("[data-present]")).not.toHaveText(/nobody/);
  await expect.poll(value, { timeout: 90_000 }).toBeGreaterThan(first);
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.locator(".page-head .badge")).toHaveText("Cancelled");
  await expect(bar).toHaveCount(0);
  await accessible(page);
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Videos" })).toBeVisible();
  await expect(listed).toHaveCount(0);
});

test("a file that is no video says so, and its name is text", async ({ page }) => {
  await signIn(page, "/videos/");
  const name = `<img src=x onerror="alert('run')">'; DROP TABLE session; --.mp4`;
  const buffer = Buffer.from("This is no video.");
  await page.getByLabel("Drop videos here").setInputFiles([{ name, mimeType: "video/mp4", buffer }]);
  const listed = page.getByRole("list", { name: "Sessions" }).getByRole("listitem").filter({ hasText: name });
  await expect(listed).toContainText("Failed", { timeout: 90_000 });
  await listed.getByRole("link").click();
  await expect(page.locator(".page-head .badge")).toHaveText("Failed");
  await expect(page.getByRole("alert").filter({ hasText: /\S/ }).first()).toBeVisible();
  await expect(page.getByText("The browser cannot play this video.")).toBeVisible();
  await expect(page.locator("img[src=x]")).toHaveCount(0);
  await accessible(page);
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(listed).toHaveCount(0);
});
