// Our binaries as processes, the demo among them; a proxy that serves pages under a prefix as an observatory's does; and a
// stand-in for a worker of Kafka Connect.
import { spawn } from "node:child_process";
import http from "node:http";

// Starts a process and waits for what it prints: `found` answers something once the output is enough. Answers that, the
// output so far, and how to end the process as Ctrl-C does.
export async function start(binary, words, { env = {}, found, input }) {
  const child = spawn(binary, words, { stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
  if (input !== undefined) child.stdin.end(input);
  let text = "";
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const answer = await new Promise((resolve, reject) => {
    const read = (data) => {
      text += data;
      const answer = found?.(text);
      if (answer) resolve(answer);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", reject);
    child.on("exit", (code) => (found ? reject(new Error(`${words.join(" ")} ended with ${code}: ${text}`)) : resolve(code)));
  });
  const stop = () => {
    child.kill("SIGINT");
    return ended;
  };
  return { answer, stop, output: () => text };
}

// Runs a command to its end, which has to be a success; answers what it printed.
export async function run(binary, words, options = {}) {
  const { answer, output } = await start(binary, words, options);
  if (answer !== 0) throw new Error(`${words.join(" ")} ended with ${answer}: ${output()}`);
  return output();
}

// Starts the demo; answers its address and how to end it.
export async function startDemo(binary) {
  // The page is served once the stages run.
  const found = (text) => /salmock\s+running/.test(text) && text.match(/open in a browser\s+(http:\S+)/)?.[1];
  const demo = await start(binary, ["demo", "--port", "0", "--topics", "40", "--period", "1"], { found });
  return { address: demo.answer, stop: demo.stop };
}

// Passes requests below `prefix` on to `target` without it, with the name of a user; refuses all others.
export async function startProxy(target, prefix, user) {
  const { hostname, port } = new URL(target);
  const server = http.createServer((request, response) => {
    if (!request.url.startsWith(prefix)) {
      response.writeHead(404).end("outside the prefix");
      return;
    }
    const path = `/${request.url.slice(prefix.length)}`;
    const headers = { ...request.headers, ...(user ? { "x-user": user } : {}) };
    const inner = http.request({ hostname, port, path, method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
      response.on("close", () => answer.destroy());
    });
    inner.on("error", () => response.writeHead(502).end());
    request.pipe(inner);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${server.address().port}${prefix}`;
  return { address, stop: () => server.closeAllConnections() ?? server.close() };
}

// A worker that has one connector, one of whose two tasks has failed.
export async function startConnect() {
  const part = (state) => ({ state, worker_id: "connect-0:8083" });
  const trace = "org.apache.kafka.connect.errors.ConnectException: the database does not answer\n\tat org.example.Sink.put(Sink.java:42)";
  const tasks = [{ id: 0, ...part("RUNNING") }, { id: 1, ...part("FAILED"), trace }];
  const status = { name: "influxdb-sink", type: "sink", connector: part("RUNNING"), tasks };
  const server = http.createServer((request, response) => {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ "influxdb-sink": { status } }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}`, stop: () => server.closeAllConnections() ?? server.close() };
}
