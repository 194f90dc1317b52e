// node check_trace.mjs TRACE [CONTENTS]
//
// Loads a Chrome trace with Perfetto's trace processor and checks that everything in the file is
// there: every span as one unnested slice, every arrow between the right spans, every counter
// sample, the names of processes and threads, and no import error.
//
// CONTENTS is a JSON file with the numbers that the writer reported: spans, arrows,
// counter_samples.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { loadTrace } from "./trace_processor.mjs";

const [traceFile, contentsFile] = process.argv.slice(2);
const events = JSON.parse(readFileSync(traceFile, "utf8")).traceEvents;
const ofPhase = (phase) => events.filter((event) => event.ph === phase);
const nanoseconds = (microseconds) => Math.round(microseconds * 1000);
const sorted = (rows) => rows.map((row) => row.join(" | ")).sort();
const integers = (row) =>
  Object.values(row).map((value) => (typeof value === "bigint" ? Number(value) : value));

const trace = await loadTrace(traceFile);

// Errors first: they explain what is missing.
const errors = await trace.query(
  "select name, value from stats where severity in ('error', 'data_loss') and value > 0",
);
assert.deepEqual(errors, [], "import errors");

const slices = await trace.query(`
  select pid, tid, slice.ts, slice.dur, slice.name, category, depth
  from slice join thread_track on slice.track_id = thread_track.id
       join thread using (utid) join process using (upid)`);
assert.deepEqual(
  sorted(slices.map(integers)),
  sorted(
    ofPhase("X").map((e) => [e.pid, e.tid, nanoseconds(e.ts), nanoseconds(e.dur), e.name, e.cat, 0]),
  ),
  "slices",
);

// An arrow's ends, as the spans of the file that they lie in.
const spanAround = (arrow) => {
  const at = nanoseconds(arrow.ts);
  const span = ofPhase("X").find(
    (e) =>
      e.pid === arrow.pid &&
      e.tid === arrow.tid &&
      nanoseconds(e.ts) <= at &&
      at < nanoseconds(e.ts) + nanoseconds(e.dur),
  );
  assert.ok(span, `arrow ${arrow.id} lies outside every span`);
  return [span.pid, span.tid, nanoseconds(span.ts), span.name];
};
const flows = await trace.query(`
  select p.pid, p.tid, p.ts, p.name, q.pid as to_pid, q.tid as to_tid, q.ts as to_ts,
         q.name as to_name
  from flow
       join (select slice.id, pid, tid, slice.ts, slice.name
             from slice join thread_track on slice.track_id = thread_track.id
                  join thread using (utid) join process using (upid)) p on p.id = flow.slice_out
       join (select slice.id, pid, tid, slice.ts, slice.name
             from slice join thread_track on slice.track_id = thread_track.id
                  join thread using (utid) join process using (upid)) q on q.id = flow.slice_in`);
const finishes = new Map(ofPhase("f").map((event) => [event.id, event]));
assert.deepEqual(
  sorted(flows.map(integers)),
  sorted(ofPhase("s").map((e) => [...spanAround(e), ...spanAround(finishes.get(e.id))])),
  "arrows",
);

const samples = await trace.query(`
  select process.pid, counter.ts, track.name, counter.value
  from counter join process_counter_track as track on counter.track_id = track.id
       join process using (upid)`);
assert.deepEqual(
  sorted(samples.map(integers)),
  sorted(
    ofPhase("C").map((e) => {
      const [[key, value]] = Object.entries(e.args);
      return [e.pid, nanoseconds(e.ts), `${e.name} ${key}`, value];
    }),
  ),
  "counter samples",
);

const named = (what) => events.filter((event) => event.ph === "M" && event.name === what);
const processes = await trace.query("select pid, name from process where name is not null");
assert.deepEqual(
  sorted(processes.map(integers)),
  sorted(named("process_name").map((e) => [e.pid, e.args.name])),
  "process names",
);
const threads = await trace.query(
  "select pid, tid, thread.name from thread join process using (upid) where thread.name is not null",
);
assert.deepEqual(
  sorted(threads.map(integers)),
  sorted(named("thread_name").map((e) => [e.pid, e.tid, e.args.name])),
  "thread names",
);

if (contentsFile !== undefined) {
  assert.deepEqual(
    { spans: slices.length, arrows: flows.length, counter_samples: samples.length },
    JSON.parse(readFileSync(contentsFile, "utf8")),
    "what the writer reported",
  );
}
console.log(
  `${traceFile}: ${slices.length} slices, ${flows.length} arrows, ` +
    `${samples.length} counter samples, as written`,
);
