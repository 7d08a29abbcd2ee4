// The pipeline on real services: the stages, a load, and the console with a token, as processes of their own. Kafka Connect,
// which does not belong to it, is a stand-in with a connector of which a task has failed.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { run, start, startConnect, startProxy } from "./processes.mjs";

export const TOKEN = "only-for-this-test";
export const SUBSYSTEMS = "Test,ATDome,ATHexapod";
const SCHEMAS = path.resolve(import.meta.dirname, "../../schemas");

// The addresses of an instance of scripts/services: lines of KEY=VALUE.
async function services(file) {
  const lines = (await readFile(file, "utf8")).split("\n");
  return Object.fromEntries(lines.filter((line) => line.includes("=")).map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

// Whether an instance has all that the pipeline needs; without Java, for example, there is no Kafka.
export async function hasServices(file) {
  const names = ["BROKER", "SCHEMAREGISTRY", "INFLUXDB_URL", "INFLUXDB_TOKEN"];
  const found = file ? await services(file) : {};
  return names.every((name) => found[name]);
}

export class Pipeline {
  // `binary` is kafkaefd; the other binaries are beside it.
  constructor(binary, env) {
    this.binary = binary;
    this.env = { ...env, PROMETHEUS_PORT: "0" };
    this.running = {};
  }

  static async start(binary, file) {
    const found = await services(file);
    const names = ["BROKER", "SCHEMAREGISTRY", "INFLUXDB_URL", "INFLUXDB_ORG", "INFLUXDB_BUCKET", "INFLUXDB_TOKEN"];
    const pipeline = new Pipeline(binary, Object.fromEntries(names.map((name) => [name, found[name]])));
    pipeline.folder = await mkdtemp(path.join(tmpdir(), "console-"));
    await run(pipeline.path("saltransform"), ["init", "--subsystem", SUBSYSTEMS, "--interfaces", SCHEMAS, "--wire-extras", "--replication", "1"], { env: pipeline.env });
    await pipeline.stage("saltransform", ["run", "--subsystem", SUBSYSTEMS, "--group", "saltransform", "--auto-offset-reset", "earliest"]);
    await pipeline.sink();
    await pipeline.stage("salmock", ["produce", "--max-topics", "60", "--period", "0.5"]);
    pipeline.connect = await startConnect();
    await pipeline.console();
    return pipeline;
  }

  path(name) {
    return path.join(path.dirname(this.binary), name);
  }

  async stage(name, words) {
    const found = (text) => text.match(/metrics and readiness are served.*?address=\S*?(127\.0\.0\.1:\d+)/)?.[1];
    this.running[name] = await start(this.path(name), words, { env: this.env, found });
    // A pod that comes back has another port; here it keeps the one that the console watches.
    return this.running[name].answer;
  }

  async sink() {
    const port = this.sinkPort ?? "0";
    const env = this.env;
    this.env = { ...env, PROMETHEUS_PORT: port };
    const address = await this.stage("influxsink", ["run", "--topic-regex", "^lsst\\.sal\\.", "--group", "influxsink"]);
    this.env = env;
    this.sinkPort = address.split(":")[1];
  }

  async stopSink() {
    await this.running.influxsink.stop();
    delete this.running.influxsink;
  }

  async console() {
    const token = path.join(this.folder, "token");
    await writeFile(token, TOKEN, { mode: 0o600 });
    this.address = await this.serve("console", ["--token-file", token]);
  }

  // A second console, which believes a proxy in front of it, under a prefix, who its users are; answers the proxy's address.
  async consoleBehindProxy(prefix, user) {
    this.proxy = await startProxy(await this.serve("console-behind-proxy", ["--user-header", "x-user"]), prefix, user);
    return this.proxy.address;
  }

  async serve(name, access) {
    const stages = ["saltransform", "influxsink", "salmock"].map((stage) => this.running[stage].answer);
    const metrics = stages.flatMap((address) => ["--metrics", address]);
    const found = (text) => text.match(/the console is served.*?(http:\/\/127\.0\.0\.1:\d+\/)/)?.[1] ?? text.match(/(http:\/\/127\.0\.0\.1:\d+\/).*?the console is served/)?.[1];
    const words = ["console", "--port", "0", "--interval", "1", "--kafka-connect", this.connect.address, ...access, ...metrics];
    this.running[name] = await start(this.binary, words, { env: this.env, found });
    return this.running[name].answer;
  }

  // What a console has logged.
  log(name = "console") {
    return this.running[name].output();
  }

  // A command of kafkaefd.
  kafkaefd(words, input) {
    return run(this.binary, words, { env: this.env, input });
  }

  async stop() {
    this.proxy?.stop();
    for (const process of Object.values(this.running).reverse()) await process.stop();
    this.connect?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
