import { runCli } from '../../src/cli/main.ts'

/** Runs several command lines one after the other in this process, and prints what each answered: loading the program is most of a run. */
const answers: { code: number; stdout: string; stderr: string }[] = []
const print = process.stdout.write.bind(process.stdout)
for (const args of JSON.parse(process.argv[2] ?? '[]') as string[][]) {
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].write = (chunk: string | Uint8Array): boolean => {
      said[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
      return true
    }
  }
  process.exitCode = undefined
  answers.push({ code: await runCli(args), ...said })
}
process.exitCode = 0
print(JSON.stringify(answers))
