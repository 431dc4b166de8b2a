// The size of a folder of modules as it is served: comments stripped, gzip. `node size.mjs src 25000` fails above that.
// The worker strips nothing: whoever serves the files does, so `strip` is shared.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { pathToFileURL } from "node:url";

/** The source without comments and indentation. Strings, templates and regular expressions stay as they are. */
export function strip(source) {
    const token = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|(?<=[=(,:;!&|?{}\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
    return source.replace(token, (_, kept) => kept ?? "").replace(/^[ \t]+/gm, "").replace(/[ \t]+$/gm, "").replace(/\n{2,}/g, "\n");
}

/** Bytes of all modules of a folder together, as one compressed file. */
export function servedSize(folder, except = []) {
    const files = readdirSync(folder).filter((name) => name.endsWith(".js") && !except.includes(name)).sort();
    const sources = files.map((name) => strip(readFileSync(`${folder}/${name}`, "utf8")));
    return { files: files.length, lines: sources.join("\n").split("\n").length, bytes: gzipSync(sources.join("\n"), { level: 9 }).length,
        apart: sources.reduce((sum, source) => sum + gzipSync(source, { level: 9 }).length, 0) };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const [folder, limit, ...except] = process.argv.slice(2);
    const size = servedSize(folder, except);
    console.log(`${folder}: ${size.files} modules, ${size.bytes} bytes together, ${size.apart} one by one`);
    if (limit && size.apart > Number(limit)) process.exit(1);
}
