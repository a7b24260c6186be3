// One line for each fact, in the shape of the server's own logger: JSON unless LOG_JSON says otherwise.

const line = (level, event, fields) => {
  if (process.env.LOG_JSON === "false") return `slipway: ${level}: ${event} ${JSON.stringify(fields)}\n`;
  return `${JSON.stringify({ timestamp: new Date().toISOString(), level, event: `slipway: ${event}`, ...fields })}\n`;
};

export const info = (event, fields = {}) => void process.stdout.write(line("info", event, fields));
export const warn = (event, fields = {}) => void process.stderr.write(line("warn", event, fields));
export const error = (event, fields = {}) => void process.stderr.write(line("error", event, fields));
