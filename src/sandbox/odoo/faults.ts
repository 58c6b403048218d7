/** An exception as Odoo names it, with the HTTP status that JSON-2 gives it. */
export interface OdooFault extends Error {
  exception: string
  status: number
  parts: readonly (string | number)[]
}

function fault(exception: string, status: number, message: string, ...more: number[]): OdooFault {
  return Object.assign(new Error(message), { exception, status, parts: [message, ...more] })
}

export const isOdooFault = (thrown: unknown): thrown is OdooFault =>
  thrown instanceof Error && 'exception' in thrown && 'status' in thrown

export const userError = (message: string): OdooFault => fault('odoo.exceptions.UserError', 422, message)
export const validationError = (message: string): OdooFault => fault('odoo.exceptions.ValidationError', 422, message)
export const accessError = (message: string): OdooFault => fault('odoo.exceptions.AccessError', 403, message)
export const missingError = (message: string): OdooFault => fault('odoo.exceptions.MissingError', 404, message)
export const valueError = (message: string): OdooFault => fault('builtins.ValueError', 500, message)
export const notFound = (message: string): OdooFault => fault('werkzeug.exceptions.NotFound', 404, message, 404)
export const unprocessable = (message: string): OdooFault =>
  fault('werkzeug.exceptions.UnprocessableEntity', 422, message, 422)
export const unauthorized = (message: string): OdooFault => fault('werkzeug.exceptions.Unauthorized', 401, message, 401)

/** The body of an error, the same in both protocols. */
export const bodyOf = ({ exception, message, parts }: OdooFault) => ({
  name: exception,
  message,
  arguments: parts,
  context: {},
  debug: `Traceback (most recent call last):\n  (simulated)\n${exception}: ${message}\n`,
})
