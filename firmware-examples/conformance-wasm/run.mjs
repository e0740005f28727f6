// Runs the collection of device programs on standard input: node run.mjs MODULE.wasm < COLLECTION
import { readFileSync } from "node:fs";

const PAGE = 65536;
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]));
const { memory, memory_length, check, answer_at } = instance.exports;
const collection = readFileSync(0);
const start = memory.grow(Math.ceil(memory_length(collection.length) / PAGE)) * PAGE;
new Uint8Array(memory.buffer, start).set(collection);
const length = check(start, collection.length);
process.stdout.write(new Uint8Array(memory.buffer, start + answer_at(collection.length), Math.abs(length)));
process.exitCode = length < 0 ? 1 : 0;
