// Moves the scripts that Next writes into its pages to files of their own, so that the pages run under `script-src 'self'`:
// nothing inline, no hashes to keep in step. Scripts run in the order in which they stand, as before: a script with `src` and
// without `async` holds the page up just as an inline one does.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const out = process.argv[2] ?? "out";
const folder = join(out, "_next/static/inline");
mkdirSync(folder, { recursive: true });

const pages = readdirSync(out, { recursive: true }).filter((name) => name.endsWith(".html"));
let moved = 0;
for (const name of pages) {
  const path = join(out, name);
  const html = readFileSync(path, "utf8").replace(
    /<script((?:\s+id="[^"]*")?)>([\s\S]*?)<\/script>/g,
    (_, id, code) => {
      const file = `${createHash("sha256").update(code).digest("hex").slice(0, 16)}.js`;
      writeFileSync(join(folder, file), code);
      moved += 1;
      return `<script${id} src="/_next/static/inline/${file}"></script>`;
    },
  );
  const left = html.match(/<script(?![^>]*\ssrc=)[^>]*>|<style[\s>]|\sstyle="|\son[a-z]+="/i);
  if (left) throw new Error(`${path}: still has ${left[0]}, which the content security policy forbids`);
  writeFileSync(path, html);
}
console.log(`${moved} inline scripts of ${pages.length} pages moved to ${folder}`);
