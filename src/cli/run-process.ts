import { environment } from '../config.ts';
import { runCli } from './run.ts';

/** Gives `runCli` the real world, and ends the process with its exit code. */
export async function runProcess(): Promise<void> {
  let lost = false;
  // A reader that has seen enough (`| head -1`) is no failure; an answer that could not be written otherwise is one, and no
  // stream may take a server down with it.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || lost) return;
    lost = true;
    process.stderr.write(`stdout: ${error.message}\n`);
  });
  process.stderr.on('error', () => {});
  const code = await runCli(process.argv.slice(2), {
    env: environment(),
    stdout: text => void process.stdout.write(text),
    stderr: text => void process.stderr.write(text),
  });
  // An error of the last write is told a turn after it.
  const end = () => setImmediate(() => process.exit(lost && code === 0 ? 1 : code));
  // A pipe takes what was written before the process ends; a server's threads and timers must not keep it.
  process.stdout.write('', () => process.stderr.write('', end));
}
