// The modules as they are served: without comments and needless space, compressed. Other parts of the project that serve or
// measure modules use `strip` too.
//
//   node size.mjs FOLDER [LIMIT [FILE...]]     sizes of a folder's modules without these files; fails above LIMIT bytes
//   node size.mjs --strip FOLDER TARGET        writes the modules, stripped
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { pathToFileURL } from "node:url";

const STRING = String.raw`"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\`(?:\\.|[^\`\\])*\``;
// a slash after one of these begins a regular expression
const REGEXP = String.raw`(?<=[=(,:;!&|?{}[>]\s*|\breturn\s+)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*`;
const COMMENT = String.raw`\/\*[\s\S]*?\*\/|\/\/[^\n]*`;

const PRIVATE = /(?<=[.;{}*\s])#[A-Za-z]\w*/g;

/** A module without comments and needless space. Its statements end with semicolons; text is left as it is. */
export function strip(source) {
    const bare = source.replace(new RegExp(`(${STRING}|${REGEXP})|${COMMENT}`, "g"), (_, kept) => kept ?? "");
    const tight = new RegExp(`(${STRING}|${REGEXP})|\\s*([{}();,:?=<>&|!\\[\\]])\\s*|\\s+`, "g");
    return shortened(bare.replace(tight, (space, kept, sign) => kept ?? sign ?? (space.includes("\n") ? "\n" : " ")).trim());
}

// Private names are a module's own, and never made at run time: those most used get the shortest.
function shortened(source) {
    const uses = new Map();
    for (const [name] of source.matchAll(PRIVATE)) uses.set(name, (uses.get(name) ?? 0) + 1);
    const names = [...uses.keys()].sort((a, b) => uses.get(b) - uses.get(a));
    const short = new Map(names.map((name, index) => [name, `#${"abcdefghijklmnopqrstuvwxyz"[index % 26]}${index >= 26 ? Math.floor(index / 26) : ""}`]));
    return source.replace(PRIVATE, (name) => short.get(name));
}

/** Bytes of all modules of a folder, compressed together and one by one. */
export function servedSize(folder, except = []) {
    const sources = modulesOf(folder).filter((name) => !except.includes(name)).map((name) => strip(readFileSync(`${folder}/${name}`, "utf8")));
    const compressed = (text) => gzipSync(text, { level: 9 }).length;
    return {
        modules: sources.length,
        together: compressed(sources.join("\n")),
        apart: sources.reduce((sum, source) => sum + compressed(source), 0),
    };
}

function modulesOf(folder) {
    return readdirSync(folder).filter((name) => name.endsWith(".js")).sort();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const [folder, limit, ...except] = process.argv.slice(2);
    if (folder === "--strip") {
        const [from, to] = process.argv.slice(3);
        mkdirSync(to, { recursive: true });
        for (const name of modulesOf(from)) writeFileSync(`${to}/${name}`, strip(readFileSync(`${from}/${name}`, "utf8")));
    } else {
        const { modules, together, apart } = servedSize(folder, except);
        console.log(`${folder}: ${modules} modules, ${together} bytes together, ${apart} one by one`);
        if (limit && together > Number(limit)) process.exit(1);
    }
}
