// Has pm2 start a program n times and prints how long each start took, from
// the call to the first 200 on /ok. pm2's daemon runs already, as a server of
// ours does. Run as: node pm2.cjs <program> <n>
const http = require("node:http");
const net = require("node:net");
const { promisify } = require("node:util");
const pm2 = require("pm2");

const [program, n] = [process.argv[2], Number(process.argv[3])];
const call = (name, ...args) => promisify(pm2[name].bind(pm2))(...args);
const agent = new http.Agent({ keepAlive: false });

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function answers(port) {
  return new Promise((resolve) => {
    const request = http.get({ host: "127.0.0.1", port, path: "/ok", agent }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode === 200));
    });
    request.on("error", () => resolve(false));
  });
}

async function start(name) {
  const port = await freePort();
  const options = {
    name, script: program, interpreter: "none", autorestart: false, cwd: process.cwd(),
    env: { HOST: "127.0.0.1", PORT: String(port) },
  };
  const begun = performance.now();
  await call("start", options);
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 1));
  const took = performance.now() - begun;
  await call("delete", name);
  return took;
}

async function main() {
  await call("connect");
  await start("warm");
  const took = [];
  for (let i = 0; i < n; i++) took.push(await start(`stand-in-${i}`));
  await call("killDaemon");
  console.log(JSON.stringify({ version: require("pm2/package.json").version, took }));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  pm2.killDaemon(() => process.exit(1));
});
