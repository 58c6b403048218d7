import { describe } from 'vitest'
import { answerContract } from './contract/answers.ts'
import type { ConnectorContract } from './contract/contract.ts'
import { documentContract } from './contract/documents.ts'
import { effectContract } from './contract/effects.ts'
import { settingsContract } from './contract/settings.ts'
import { webhookContract } from './contract/webhooks.ts'

/**
 * The contract that every connector passes. `folder` is the folder of its test (`import.meta.dirname`), which keeps the golden
 * documents. What the contract cannot know, such as whether a push arrives, is for the connector's own tests against its simulator.
 */
export function connectorContract(contract: ConnectorContract, folder: string): void {
  describe(`${contract.connector.label}: the contract of connectors`, () => {
    settingsContract(contract)
    webhookContract(contract)
    documentContract(contract, folder)
    answerContract(contract)
    effectContract(contract)
  })
}
