import { Code, ConnectError } from '@connectrpc/connect'
import { ErrorInfoSchema } from '@protos/google/rpc/error_details_pb'

/** The server could not be reached at all: no answer, not even a refusal. */
export const NETWORK_LOST = 'NETWORK_LOST'

/**
 * Every failure of the API in one form. `reason` is stable (docs/api.md lists them); `retryable` says whether the same
 * call may succeed later without anybody changing anything.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    readonly reason: string,
    readonly retryable: boolean,
    message: string,
  ) {
    super(message)
  }
}

const RETRYABLE = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.ResourceExhausted, Code.Aborted])

/** What a call of the gRPC-Web client threw. */
export function fromConnect(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown
  const error = ConnectError.from(thrown)
  const reason = error.findDetails(ErrorInfoSchema)[0]?.reason
  if (reason) return new ApiError(reason, RETRYABLE.has(error.code), error.rawMessage)
  // A fetch that failed has neither status nor details; the library reports it as unknown.
  const unreachable = error.code === Code.Unknown || error.code === Code.Unavailable
  if (unreachable) return new ApiError(NETWORK_LOST, true, error.rawMessage)
  return new ApiError(Code[error.code].toUpperCase(), RETRYABLE.has(error.code), error.rawMessage)
}

interface JsonError {
  readonly message?: string
  readonly reason?: string
  readonly details?: readonly { readonly reason?: string }[]
}

/** An answer with a status of 400 or more. */
export async function fromResponse(response: Response): Promise<ApiError> {
  const retryable = response.status === 408 || response.status === 429 || response.status >= 500
  const body = (await response.json().catch(() => ({}))) as JsonError
  const reason = body.details?.find((detail) => detail.reason)?.reason ?? body.reason ?? `HTTP_${response.status}`
  return new ApiError(reason, retryable, body.message ?? response.statusText)
}

/** A fetch that got an answer, or an ApiError: nothing else leaves this function. */
export async function fetched(url: string, init: RequestInit, timeoutMs: number): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs), redirect: 'error' })
  } catch (thrown) {
    throw new ApiError(NETWORK_LOST, true, String(thrown))
  }
  if (!response.ok) throw await fromResponse(response)
  return response
}
