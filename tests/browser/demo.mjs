// A running demo, and a proxy that serves it under a prefix as an observatory's does.
import { spawn } from "node:child_process";
import http from "node:http";

// Starts the demo; answers its address and how to end it.
export async function startDemo(binary) {
  const child = spawn(binary, ["demo", "--port", "0", "--topics", "40", "--period", "1"], { stdio: ["ignore", "pipe", "inherit"] });
  const address = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
      const found = text.match(/open in a browser\s+(http:\S+)/);
      // The page is served once the stages run.
      if (found && /salmock\s+running/.test(text)) resolve(found[1]);
    });
    child.on("exit", (code) => reject(new Error(`the demo ended with ${code}: ${text}`)));
  });
  const stop = () =>
    new Promise((resolve) => {
      child.removeAllListeners("exit");
      child.on("exit", resolve);
      child.kill("SIGINT");
    });
  return { address, stop };
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
