import { Command, CommanderError } from 'commander'
import { addBreakCommands } from './breakCommands.ts'
import { addAnswerCommands } from './answerCommands.ts'
import { addBankCommands } from './bankCommands.ts'
import { addCaseCommands } from './caseCommands.ts'
import { addCloseCommands } from './closeCommands.ts'
import { addConfigCommands } from './configCommands.ts'
import { addConformanceCommand } from './conformanceCommand.ts'
import { addConnectionCommands } from './connectionCommands.ts'
import { addConnectorCommands } from './connectorCommands.ts'
import { addCountCommands } from './countCommands.ts'
import { addDeadLetterCommands } from './deadLetterCommands.ts'
import { addDemoCommand } from './demoCommand.ts'
import { addErpCommands } from './erpCommands.ts'
import { addEventCommands } from './eventCommands.ts'
import { addFeeCommands } from './feeCommands.ts'
import { addFileCommands } from './fileCommands.ts'
import { addFulfillmentCommands } from './fulfillmentCommands.ts'
import { addJournalCommands } from './journalCommands.ts'
import { addLabelCommands } from './labelCommands.ts'
import { addMovementCommands } from './movementCommands.ts'
import { addOperationCommands } from './operationCommands.ts'
import { addOrderCommands } from './orderCommands.ts'
import { EXIT, printError, printUsage, type ReadOptions } from './output.ts'
import { addPeakCommands } from './peakCommands.ts'
import { addPreviewCommand } from './previewCommand.ts'
import { addRoutingCommands } from './routingCommands.ts'
import { addRuleCommands } from './ruleCommands.ts'
import { addSettlementCommands } from './settlementCommands.ts'
import { addSettlementRun } from './settlementRunCommand.ts'
import { addStartCommand } from './startCommand.ts'
import { addStockCommands } from './stockCommands.ts'
import { addSupplyCommands } from './supplyCommands.ts'
import { addUserCommands } from './userCommands.ts'

/**
 * The whole command tree; `docs/cli.md` is generated from it. `--config` and `--json` may stand before or after the command. With
 * `json` the parser's own complaints are kept off stderr, because they are answered as a document on stdout.
 */
export function buildProgram(options: ReadOptions = {}): Command {
  const program = new Command('crossdock')
    .description('Orders in, every unit promised once, availability out, payouts matched to the cent.')
    .version('0.1.0')
    .option('-c, --config <file>', 'configuration file (default: CROSSDOCK_CONFIG, else config/crossdock.yaml)')
    .option('--json', 'one JSON document on stdout, also for errors')
    .showHelpAfterError('(crossdock --help lists the commands)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput(options.json === true ? { writeErr: () => undefined } : {})
    .exitOverride()
  addStartCommand(program)
  addDemoCommand(program)
  addPreviewCommand(program)
  addConformanceCommand(program)
  addOrderCommands(program)
  addFulfillmentCommands(program)
  addLabelCommands(program)
  addStockCommands(program)
  addRuleCommands(program)
  addCaseCommands(program)
  addAnswerCommands(program)
  addPeakCommands(program)
  addSupplyCommands(program)
  addRoutingCommands(program)
  addMovementCommands(program)
  addCountCommands(program)
  addEventCommands(program)
  addDeadLetterCommands(program)
  addFileCommands(program)
  addConnectionCommands(program)
  addConnectorCommands(program)
  addSettlementRun(addSettlementCommands(program))
  addBankCommands(program)
  addJournalCommands(program)
  addCloseCommands(program)
  addErpCommands(program)
  addBreakCommands(program)
  addFeeCommands(program)
  addOperationCommands(program)
  addUserCommands(program)
  addConfigCommands(program)
  return program
}

/** Runs one command line and returns its exit code: 0 ok, 1 failed check or fault, 2 bad input. */
export async function runCli(argv: readonly string[]): Promise<number> {
  // Asked before the parse, because the parse itself may be what fails. What stands behind `--` is no option.
  const options = { json: argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined).includes('--json') }
  try {
    await buildProgram(options).parseAsync(argv, { from: 'user' })
    return Number(process.exitCode ?? EXIT.ok)
  } catch (thrown) {
    return thrown instanceof CommanderError ? printUsage(options, thrown) : printError(options, thrown)
  }
}

const isProgram =
  process.argv[1] !== undefined && /(^|[\\/])(crossdock(\.js)?|cli[\\/]main\.[jt]s)$/.test(process.argv[1])
if (isProgram) {
  // A pipe that closes early (`| head`) is the reader's right, not a crash.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
  )
  const code = await runCli(process.argv.slice(2))
  process.exitCode = code
}
