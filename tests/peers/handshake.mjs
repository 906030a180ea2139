// node handshake.mjs PORT SHEET PARTS LOW_FIRST: a PLC that runs PARTS handshakes, then prints what it saw as JSON.
// Odd parts are acknowledged by ack_seq, even ones by RESULT_ACK; coils are written by FC05, registers by FC16 and FC06.
import { connect, readSheet, sizeOf, until, valueOf } from "./registers.mjs";

const [port, path, parts, order] = process.argv.slice(2);
const lowFirst = order === "true";
const rows = readSheet(path);
const master = await connect(Number(port));
const coil = (name, on) => master.writeCoil(rows.get(`coil/${name}`).at, on);
const put = (name, words) => master.writeRegisters(rows.get(`holding register/${name}`).at, words);
const bit = (words, name) => Boolean((words[0] >> rows.get(`discrete input/${name}`).at) & 1);
const size = sizeOf(rows, "input register");
let beat = 0;

async function block() {
  await master.writeRegister(rows.get("holding register/plc_hb").at, (beat = (beat + 1) & 0xffff));
  const words = (await master.readInputRegisters(0, size)).data;
  const value = (name) => valueOf(rows.get(`input register/${name}`), words, lowFirst);
  if (value("seq_begin") !== value("seq_end")) throw new Error("torn block");
  return { words, value, is: (name) => bit(words, name) };
}

async function refusal(request) {
  try {
    await request();
    return "answered";
  } catch (error) {
    return error.modbusCode;
  }
}

const seen = [];
await coil("TRIG_ENABLE", true);
await until("READY", async () => (await block()).is("READY"));
let last = 0;
for (let part = 1; part <= Number(parts); part++) {
  const number = 70000 + part;
  const halves = [number >> 16, number & 0xffff];
  await put("part", lowFirst ? halves.reverse() : halves);
  await until("READY", async () => (await block()).is("READY"));
  await coil("TRIGGER", true);
  await until("TRIG_ACK", async () => (await block()).is("TRIG_ACK"));
  await coil("TRIGGER", false);
  const got = await until("a result", async () => {
    const found = await block();
    return found.value("seq_begin") !== last && found.is("RESULT_VALID") && found;
  });
  last = got.value("seq_begin");
  const result = { part: got.value("part"), code: got.value("disposition") };
  for (const name of ["OK", "NG", "UNJUDGED"]) result[name] = got.is(name);
  seen.push(result);
  if (part % 2) {
    await put("ack_seq", [last]);
  } else {
    await coil("RESULT_ACK", true);
    await until("RESULT_VALID falls", async () => !(await block()).is("RESULT_VALID"));
    await coil("RESULT_ACK", false);
  }
}
const end = await until("the last acknowledge", async () => {
  const found = await block();
  return !found.is("RESULT_VALID") && found;
});
const counters = {};
for (const name of ["triggers", "ok", "ng", "unjudged", "missed"]) counters[name] = end.value(name);
const mirrored = rows.get("mirror/canary_u32").at - rows.get("input register/canary_u32").at;
const mirror = (await master.readHoldingRegisters(mirrored + rows.get("input register/canary_u32").at, 4)).data;
const inputs = [...rows.values()].filter((row) => row.table === "input register");
const used = new Set(inputs.flatMap((row) => [row.at, row.at + row.words - 1]));
const free = [...Array(size).keys()].filter((at) => !used.has(at));
const said = {
  seen,
  counters,
  canaries: [end.value("canary_u32"), end.value("canary_f32")],
  mirror: JSON.stringify(mirror) === JSON.stringify(end.words.slice(-4)),
  refused: {
    behind: await refusal(() => master.readInputRegisters(size, 1)),
    unused: await refusal(() => master.readInputRegisters(free[0], free.length)),
    holding: await refusal(() => master.readHoldingRegisters(sizeOf(rows, "holding register"), 1)),
    mirror: await refusal(() => master.writeRegister(mirrored, 1)),
    coil: await refusal(() => master.readCoils(16, 1)),
  },
};
console.log(JSON.stringify(said));
master.close(() => process.exit(0));
