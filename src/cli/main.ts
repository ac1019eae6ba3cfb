// The command-line tool's entry: gives `runCli` the real world, and ends the process with its exit code.
import { environment } from '../config.ts';
import { runCli } from './run.ts';

const code = await runCli(process.argv.slice(2), {
  env: environment(),
  stdout: text => void process.stdout.write(text),
  stderr: text => void process.stderr.write(text),
});
// A pipe takes what was written before the process ends; a server's threads and timers must not keep it.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
