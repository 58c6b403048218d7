import { asHubError, HubError } from '../../core/errors.ts'

/** One thing that has to be true in the end. `done` reads, `act` brings it about; both may be asked any number of times. */
export interface Step {
  name: string
  done: () => Promise<boolean>
  act: () => Promise<unknown>
}

/**
 * Odoo's methods are not safe to repeat, so nothing is ever repeated blindly: every step first reads whether it is done, and reads again
 * after it was taken. The first reading makes a second run after a crash skip what is done; the second one catches answers that got lost,
 * refusals because somebody else was faster, and methods that answer with a question (a wizard) and do nothing.
 */
export async function converge(steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (await step.done()) continue
    const fault = await attempt(step.act)
    const done = await attempt(step.done)
    if (done === true) continue
    if (fault instanceof HubError) throw fault
    if (done instanceof HubError) throw done
    throw new HubError('vendor_rejected', `${step.name}: Odoo took the call and nothing came of it`, {
      hint: 'Odoo may be asking a question; do this step by hand to see it',
    })
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<T | HubError> {
  try {
    return await work()
  } catch (thrown) {
    return asHubError(thrown)
  }
}
