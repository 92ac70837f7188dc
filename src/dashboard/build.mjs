// Bundles the dashboard into a folder of static assets: index.html, hashed scripts and styles, and the headers they are
// served with. Needs no network: every library comes from node_modules.
//
//   node src/dashboard/build.mjs [outdir]        default outdir: dist/
import { build } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));

// Everything is our own file; nothing may run inline, be framed, or call out.
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const headers = `/*
  Content-Security-Policy: ${policy}
  X-Content-Type-Options: nosniff
  X-Frame-Options: DENY
  Referrer-Policy: no-referrer
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Resource-Policy: same-origin
  Permissions-Policy: camera=(), microphone=(), geolocation=()

/
  Cache-Control: no-cache

/assets/*
  Cache-Control: public, max-age=31536000, immutable
`;

/** Builds into `outdir` and answers what was written: `[{ path, bytes, gzip }]`. */
export async function buildDashboard(outdir = resolve(here, "../../dist")) {
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  const result = await build({
    entryPoints: { app: join(here, "main.tsx"), style: join(here, "styles/index.css") },
    outdir: join(outdir, "assets"),
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    target: ["chrome115", "firefox115", "safari16.4"],
    minify: true,
    metafile: true,
    legalComments: "none",
    logLevel: "warning",
    define: { "process.env.NODE_ENV": '"production"' },
    tsconfig: join(here, "tsconfig.json"),
  });

  const outputs = Object.entries(result.metafile.outputs);
  const entry = (file) => {
    const found = outputs.find(([, output]) => output.entryPoint?.endsWith(file));
    if (!found) throw new Error(`the bundle has no output for ${file}`);
    return "/" + relative(outdir, resolve(found[0])).replaceAll("\\", "/");
  };
  const page = (await readFile(join(here, "index.html"), "utf8"))
    .replace("{{script}}", entry("main.tsx"))
    .replace("{{style}}", entry("styles/index.css"));
  await writeFile(join(outdir, "index.html"), page);
  await writeFile(join(outdir, "favicon.svg"), await readFile(join(here, "favicon.svg")));
  await writeFile(join(outdir, "_headers"), headers);
  await writeFile(join(outdir, "licenses.txt"), await licenses(Object.keys(result.metafile.inputs)));

  return Promise.all(
    outputs.map(async ([path, output]) => ({
      path: relative(outdir, resolve(path)),
      bytes: output.bytes,
      gzip: gzipSync(await readFile(path), { level: 9 }).length,
    })),
  );
}

/** The licences of the libraries that went into the bundle, as they ask to be passed on. */
async function licenses(inputs) {
  const packages = new Map();
  for (const input of inputs) {
    const [, folder, name] = input.match(/^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//) ?? [];
    if (name) packages.set(name, folder);
  }
  const texts = [...packages].sort().map(async ([name, folder]) => {
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    return `${name}\n\n${file ? (await readFile(join(folder, file), "utf8")).trim() : "no licence file"}\n`;
  });
  return (await Promise.all(texts)).join("\n\n");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const files = await buildDashboard(process.argv[2] && resolve(process.argv[2]));
  const total = files.reduce((sum, file) => sum + file.gzip, 0);
  for (const file of files) console.log(`${String(file.gzip).padStart(8)} B gzip  ${file.path}`);
  console.log(`${String(total).padStart(8)} B gzip  in all`);
}
