import { defineConfig } from "@playwright/test";

/** Runs against a platform that is up: BASE_URL and KEY (an admin key) say where. scripts/test-client.sh starts one. */
export default defineConfig({
  testDir: "tests",
  // Pictures to look at are made when somebody wants to.
  testIgnore: process.env.SCREENS ? [] : ["screens.spec.ts"],
  outputDir: "test-results",
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 30_000 },
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    baseURL: process.env.BASE_URL ?? "http://127.0.0.1:8080",
    browserName: "chromium",
    locale: "en-GB",
    viewport: { width: 1440, height: 900 },
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox"],
    },
  },
});
