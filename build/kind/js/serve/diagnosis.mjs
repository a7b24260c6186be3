// What a failed start means to the person whose app it is: a code, the place in their files, and what to do.

import { spawnSync } from "node:child_process";
import { isBuiltin } from "node:module";
import { sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const messageOf = (cause) => (cause instanceof Error ? cause.message || cause.name : String(cause));

/**
 * step: what was being done. dir: the app's folder, from which its files are named. file: the one that was
 * being loaded. Either may be missing.
 */
export function diagnose(step, cause, { dir, file } = {}) {
  if (cause?.told) return { code: cause.told.code ?? "start_failed", message: `${step}: ${cause.message}`, hint: cause.told.hint };
  const of = [missing, syntax, noExport, thrown].map((guess) => guess(cause, dir, file)).find(Boolean);
  return { ...of, message: `${step}: ${of.message}` };
}

const NOT_FOUND = /^Cannot find (?:package|module) '([^']+)'(?: imported from ([^\n]+))?/;

/** A module that is not there: a package that package.json lacks, or a file of the app. */
function missing(cause, dir) {
  if (cause?.code !== "ERR_MODULE_NOT_FOUND" && cause?.code !== "MODULE_NOT_FOUND") return undefined;
  const [, wanted, from] = NOT_FOUND.exec(messageOf(cause)) ?? [];
  if (!wanted) return undefined;
  const by = from ?? cause.requireStack?.[0];
  const where = by ? `${named(by, dir)} imports` : "The app imports";
  const name = packageName(wanted);
  if (!name) return { code: "module_not_found", message: `${where} ${named(wanted, dir)}, which does not exist`, hint: "Look at the path, and that the file was packed." };
  return {
    code: "missing_dependency",
    message: `${where} ${name}, which is not installed`,
    hint: `Add ${name} to the dependencies in package.json, and to the lock file.`,
  };
}

/** The package that an import is of; undefined for files. */
function packageName(specifier) {
  if (/^(\.|\/|file:|[A-Za-z]:)/.test(specifier) || isBuiltin(specifier)) return undefined;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

const TRANSFORM = /^([^\n]+?):(\d+):(\d+): (?:ERROR|error): ([^\n]+)/m; // as esbuild says it, which reads TypeScript
const COMPILED = /^(\S[^\n]*?):(\d+)\n/m; // as Node does, above the line itself

/** A file that can not be parsed, with the place. */
function syntax(cause, dir, loading) {
  const transform = TRANSFORM.exec(messageOf(cause));
  if (transform) {
    const [, file, line, column, what] = transform;
    return { code: "syntax_error", message: `${named(file, dir)}:${line}:${column}: ${what}` };
  }
  if (cause?.name !== "SyntaxError" || NO_EXPORT.test(messageOf(cause))) return undefined;
  if (frames(cause, dir).length > 0) return undefined; // thrown by the app: JSON.parse
  const [, file, line] = COMPILED.exec(cause.stack ?? "") ?? COMPILED.exec(uncaught(loading)) ?? [];
  if (!file) return undefined;
  return { code: "syntax_error", message: `${named(file, dir)}:${line}: ${messageOf(cause)}` };
}

/**
 * What Node prints when nobody catches the error of loading a file: only there does it name the place in
 * plain JavaScript. What does not parse is not run.
 */
function uncaught(file) {
  if (!file) return "";
  const load = ["--import", import.meta.resolve("tsx/esm"), "--input-type=module", "--eval", "await import(process.argv[1])"];
  const { stderr } = spawnSync(process.execPath, [...load, pathToFileURL(file).href], { encoding: "utf8", timeout: 10_000, stdio: ["ignore", "ignore", "pipe"] });
  return stderr ?? "";
}

const NO_EXPORT = /^The requested module '([^']+)' does not provide an export named '([^']+)'/;

/** An import of something that another module does not export. */
function noExport(cause, dir) {
  const [text] = NO_EXPORT.exec(messageOf(cause)) ?? [];
  if (!text) return undefined;
  const [, file, line] = COMPILED.exec(cause.stack ?? "") ?? [];
  return {
    code: "import_error",
    message: file ? `${named(file, dir)}:${line}: ${text}` : text,
    hint: "Look at the name, and at the version of the package that is to export it.",
  };
}

/** Anything else that the app's code throws while it is loaded. */
function thrown(cause, dir) {
  const at = frames(cause, dir)[0];
  if (!at) return { code: "start_failed", message: kindOf(cause) + messageOf(cause) };
  return { code: "import_error", message: `${at}: ${kindOf(cause)}${messageOf(cause)}` };
}

const kindOf = (cause) => (cause instanceof Error && cause.name !== "Error" ? `${cause.name}: ` : "");

/** Places in the app's own files, innermost first, as file:line:column. */
function frames(cause, dir) {
  const places = [...(cause?.stack ?? "").matchAll(/^\s+at (?:.*\()?(.+?):(\d+):(\d+)\)?$/gm)];
  return places
    .map(([, file, line, column]) => ({ file: pathOf(file), line, column }))
    .filter(({ file }) => dir && file.startsWith(dir + sep) && !file.includes(`${sep}node_modules${sep}`))
    .map(({ file, line, column }) => `${named(file, dir)}:${line}:${column}`);
}

/** A file as the person knows it, from the root of the source. */
function named(file, dir) {
  const path = pathOf(file);
  return dir && path.startsWith(dir + sep) ? path.slice(dir.length + 1) : path;
}

function pathOf(file) {
  const bare = file.replace(/\?.*$/, "");
  return bare.startsWith("file:") ? fileURLToPath(bare) : bare;
}
