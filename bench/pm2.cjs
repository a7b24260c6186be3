// Has pm2 start and delete a program, a line of the input each: "start <name>
// <port>" and "delete <name>". Each is answered by a line of JSON, which pm2's
// own output may surround. Its daemon runs meanwhile, as a server of ours does,
// and ends with the input. Run as: node pm2.cjs <program>
const readline = require("node:readline");
const { promisify } = require("node:util");
const pm2 = require("pm2");

const program = process.argv[2];
const call = (name, ...args) => promisify(pm2[name].bind(pm2))(...args);

const commands = {
  start: (name, port) =>
    call("start", {
      name, script: program, interpreter: "none", autorestart: false, cwd: process.cwd(),
      env: { HOST: "127.0.0.1", PORT: port },
    }),
  delete: (name) => call("delete", name),
};

async function main() {
  await call("connect");
  console.log(JSON.stringify({ version: require("pm2/package.json").version }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, ...args] = line.split(" ");
    await commands[command](...args);
    console.log(JSON.stringify({ done: command }));
  }
}

main()
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  })
  .finally(() => pm2.killDaemon(() => process.exit()));
