// Runs a collection of device programs: node run.mjs MODULE.wasm COLLECTION
import { readFile } from "node:fs/promises";

const PAGE = 65536;
const [module, path] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(await readFile(module));
const { memory, memory_length, check, answer_at } = instance.exports;
const collection = await readFile(path);
const start = memory.grow(Math.ceil(memory_length(collection.length) / PAGE)) * PAGE;
new Uint8Array(memory.buffer, start).set(collection);
const length = check(start, collection.length);
const bytes = new Uint8Array(memory.buffer, start + answer_at(collection.length), Math.abs(length));
const answer = new TextDecoder().decode(bytes);
if (length < 0) {
    console.error(answer);
    process.exit(1);
}
console.log(answer);
