// Builds the web interface into the package: `node build.mjs`, or with --watch after each change.
//
// What it writes depends on nothing but the sources and the locked versions, so that CI can build it again and compare.
// Names of files in assets/ hold a hash of their content: browsers keep them for ever. The page that names them is
// never kept.

import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const ROOT = dirname(fileURLToPath(import.meta.url));
const SOURCE = join(ROOT, "src");
const FIRST_PAGE = "src/pages/studies/studies_page.tsx";
const TARGET = join(ROOT, "..", "orthanc_fast", "rest", "static", "app");

/** One style sheet of all CSS files: the foundations in styles/ first, then those of the components and pages. */
async function styleSheet() {
  const names = (await readdir(SOURCE, { recursive: true })).filter((name) => name.endsWith(".css"));
  const rank = (name) => (name.startsWith("styles/") ? 0 : name.startsWith("pages/") ? 2 : 1);
  names.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return names.map((name) => `@import "./${name}";`).join("\n");
}

const allStyles = {
  name: "all-styles",
  setup(build) {
    build.onResolve({ filter: /^all-styles$/ }, () => ({ path: join(SOURCE, "main.css"), namespace: "all-styles" }));
    build.onLoad({ filter: /.*/, namespace: "all-styles" }, async () => ({
      contents: await styleSheet(), loader: "css", resolveDir: SOURCE, watchDirs: [SOURCE],
    }));
  },
};

/** The licences of the packages that are part of the built files: their authors ask for that. */
async function licences(metafile) {
  const inside = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/; // the innermost package
  const folders = new Set();
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) if (bytesInOutput && inside.test(path)) folders.add(path.match(inside)[0]);
  }
  const texts = [...folders].sort().map(async (folder) => {
    const { name, version, license } = JSON.parse(await readFile(join(ROOT, folder, "package.json"), "utf8"));
    const file = (await readdir(join(ROOT, folder))).find((each) => /^licen[cs]e/i.test(each));
    return `${name} ${version}: ${license}\n\n${file ? await readFile(join(ROOT, folder, file), "utf8") : ""}`.trim();
  });
  return `${(await Promise.all(texts)).join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

/** The page and what it is made of, written when esbuild has bundled it. */
const page = {
  name: "page",
  setup(build) {
    build.onEnd(async ({ errors, outputFiles, metafile }) => {
      if (errors.length) return;
      await rm(TARGET, { recursive: true, force: true });
      await mkdir(join(TARGET, "assets"), { recursive: true });
      await cp(join(ROOT, "public"), TARGET, { recursive: true });
      for (const file of outputFiles) await writeFile(file.path, file.contents);
      const outputs = Object.entries(metafile.outputs);
      const relativePath = (path) => relative(TARGET, join(ROOT, path));
      const madeOf = (source) => outputs.find(([, { entryPoint }]) => entryPoint === source);
      const [script, { imports }] = madeOf("src/main.tsx");
      const [first, { imports: firstImports }] = madeOf(FIRST_PAGE);
      const [styles] = outputs.find(([path]) => path.endsWith(".css"));
      // Without these links the browser would learn of them only from one script after the other.
      const needed = [...imports, ...firstImports].filter(({ kind }) => kind === "import-statement").map(({ path }) => path);
      const preloads = [...new Set([...needed, first])].filter((path) => path !== script)
        .map((path) => `<link rel="modulepreload" href="${relativePath(path)}">`);
      const html = (await readFile(join(SOURCE, "explorer.html"), "utf8"))
        .replace("%styles%", relativePath(styles)).replace("%script%", relativePath(script)).replace("%preloads%", preloads.join("\n"));
      await writeFile(join(TARGET, "explorer.html"), html);
      await writeFile(join(TARGET, "licences.txt"), await licences(metafile));
      const sizes = outputFiles.map((file) => file.contents.length);
      console.log(`${outputFiles.length} files, ${Math.round(sizes.reduce((a, b) => a + b, 0) / 1024)} KB`);
    });
  },
};

const options = {
  absWorkingDir: ROOT,
  entryPoints: { main: "src/main.tsx", style: "all-styles" },
  outdir: join(TARGET, "assets"),
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  alias: { zarrita: "./src/viewer/no_zarr.ts" },
  minify: true,
  legalComments: "none",
  write: false,
  metafile: true,
  logLevel: "info",
  plugins: [allStyles, page],
};

if (process.argv.includes("--watch")) await (await esbuild.context(options)).watch();
else await esbuild.build(options);
