import { accessible, expect, gateway, signIn, test, visit } from "./support";

test("a key is made, works within its scope, and is revoked", async ({ page, browser }) => {
  await signIn(page, "/settings/");
  await accessible(page);
  await page.getByRole("button", { name: "New key…" }).click();
  await page.getByLabel("What is it for?").fill("Read only");
  await accessible(page);
  await page.getByRole("button", { name: "Make key" }).click();
  const key = await page.getByLabel("Key", { exact: true }).inputValue();
  expect(key.length).toBeGreaterThan(10);
  await accessible(page);
  await page.getByRole("button", { name: "Copy" }).click();
  await expect(page.getByRole("dialog").getByRole("status")).toContainText(/copied|mark the key/);
  await page.getByRole("button", { name: "Done" }).click();
  await expect(page.getByRole("list", { name: "API keys" })).toContainText("Read only");
  expect(await page.content()).not.toContain(key);

  const other = await browser.newContext();
  const reader = await other.newPage();
  await signIn(reader, "/people/", key);
  await expect(reader.getByRole("main").getByRole("link", { name: "Enrol" })).toHaveCount(0);
  await visit(reader, "Enrol");
  await expect(reader.getByText("This key may not enrol people.")).toBeVisible();
  await accessible(reader);
  await visit(reader, "Search");
  await expect(reader.getByText("This key may not search by photo.")).toBeVisible();
  await visit(reader, "Videos");
  await expect(reader.getByRole("heading", { name: "Sessions" })).toBeVisible();
  await expect(reader.getByLabel("Drop videos here")).toHaveCount(0);
  await visit(reader, "Settings");
  await expect(reader.getByText("for keys with the scope “admin”")).toBeVisible();

  await page.getByRole("button", { name: "Revoke Read only" }).click();
  await accessible(page);
  await page.getByRole("button", { name: "Revoke", exact: true }).click();
  await expect(page.getByRole("list", { name: "API keys" })).not.toContainText("Read only");
  await visit(reader, "People");
  await expect(reader.getByText("This key is no longer accepted.")).toBeVisible();
  await other.close();
});

test("a webhook is set up and removed", async ({ page }) => {
  await signIn(page, "/settings/");
  await page.getByRole("button", { name: "New webhook…" }).click();
  await page.getByLabel("Address").fill("https://example.com/tested");
  await page.getByLabel("Secret").fill("a secret of more than sixteen letters");
  await accessible(page);
  await page.getByRole("button", { name: "Set up" }).click();
  await expect(page.getByRole("list", { name: "Webhooks" })).toContainText("https://example.com/tested");
  await page.getByRole("button", { name: "Deliveries to https://example.com/tested" }).click();
  await expect(page.getByRole("dialog", { name: "Deliveries" })).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Remove https://example.com/tested" }).click();
  await accessible(page);
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await expect(page.getByText("https://example.com/tested")).toHaveCount(0);
});

test("what another server was not told is sent again", async ({ page }) => {
  await signIn(page, "/settings/");
  const hook = { url: "https://example.com/away", secret: "a secret of more than sixteen letters" };
  const { id } = await gateway<{ id: string }>(page, "/v1/webhooks", "POST", { ...hook, events: ["session.done"] });
  // Giving up takes the gateway an hour and a half: it is said for it.
  const given = { id: "d1", event: "session.done", attempts: 10, answer: "status 502", created_ms: Date.now() };
  let state = "dead";
  await page.route(`**/v1/webhooks/${id}/deliveries**`, (route) => {
    if (route.request().method() === "POST" && route.request().url().endsWith("/deliveries/d1/retry")) {
      state = "pending";
      return route.fulfill({ json: { ...given, state } });
    }
    return route.fulfill({ json: { items: [{ ...given, state }], next: null } });
  });
  await page.reload();
  await page.getByRole("button", { name: `Deliveries to ${hook.url}` }).click();
  const dialog = page.getByRole("dialog", { name: "Deliveries" });
  await expect(dialog).toContainText("status 502");
  await expect(dialog).toContainText("Given up");
  await accessible(page);
  await dialog.getByRole("button", { name: "Send again" }).click();
  await expect(dialog).toContainText("Waiting");
  await gateway(page, `/v1/webhooks/${id}`, "DELETE");
});

test("a list that cannot be loaded says so, and tries again", async ({ page }) => {
  await signIn(page);
  await page.route("**/v1/sessions?*", (route) =>
    route.fulfill({
      status: 503,
      json: { error: { code: "unavailable", message: "The database is starting.", request_id: "r" } },
    }),
  );
  await visit(page, "Videos");
  await expect(page.getByRole("alert").filter({ hasText: "The database is starting." })).toBeVisible();
  await accessible(page);
  await page.unroute("**/v1/sessions?*");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "The database is starting." })).toHaveCount(0);
});

test("pages that are not there, and people and videos that are not there", async ({ page }) => {
  await signIn(page, "/no-such-page/");
  await expect(page.getByText("There is no such page.")).toBeVisible();
  await accessible(page);
  for (const path of ["/person/", "/session/"]) {
    await page.goto(path);
    await expect(page.getByText(/No (person|video) was chosen\./)).toBeVisible();
    await accessible(page);
    await page.goto(`${path}?id=00000000000000000000000000`);
    await expect(page.getByRole("alert").filter({ hasText: /\S/ }).first()).toBeVisible();
    await accessible(page);
  }
  expect((await gateway<{ name: string }>(page, "/v1/me")).name).not.toBe("");
});
