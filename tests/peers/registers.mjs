// The published sheet, and what a Node master needs of it. No address is written anywhere else in these scripts.
import { readFileSync } from "node:fs";
import ModbusRTU from "modbus-serial";

/** Rows of the CSV by "table/name", for example "input register/part"; the mirror's rows by "mirror/name". */
export function readSheet(path) {
  const rows = new Map();
  for (const line of readFileSync(path, "utf8").trim().split("\n").slice(1)) {
    const cells = line.match(/("([^"]|"")*"|[^,]*)(,|$)/g).map((cell) => cell.replace(/,$/, "").replace(/^"|"$/g, ""));
    const [table, address, words, name, kind, , text] = cells;
    const group = text.startsWith("read-only mirror") ? "mirror" : table;
    rows.set(`${group}/${name}`, { table: group, name, at: Number(address), words: Number(words || 1), kind });
  }
  return rows;
}

export async function connect(port) {
  const master = new ModbusRTU();
  await master.connectTCP("127.0.0.1", { port });
  master.setID(1);
  master.setTimeout(2000);
  return master;
}

/** A value out of words that start at address 0. */
export function valueOf(row, words, lowFirst = false) {
  if (row.words === 1) return words[row.at];
  const pair = words.slice(row.at, row.at + 2);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(pair[lowFirst ? 1 : 0], 0);
  bytes.writeUInt16BE(pair[lowFirst ? 0 : 1], 2);
  return row.kind === "float" ? bytes.readFloatBE(0) : bytes.readUInt32BE(0);
}

/** Addresses of a group from 0 to its last, without gaps. */
export function sizeOf(rows, group) {
  return Math.max(...[...rows.values()].filter((row) => row.table === group).map((row) => row.at + row.words));
}

export const until = async (what, test, limitMs = 8000) => {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await test();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((done) => setTimeout(done, 5));
  }
};
