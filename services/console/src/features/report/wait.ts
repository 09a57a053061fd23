import type { Report } from '@protos/shuanglu/report/v1/report_pb'
import type { Door } from '../../api/door'
import { ApiError } from '../../api/errors'
import { sleep } from '../../waiting'

const EVERY_MS = 3000

/** Ask until the report is there. Throws ApiError for what waiting does not mend; null if the signal was given. */
export async function waitForReport(door: Pick<Door, 'report'>, stop: AbortSignal): Promise<Report | null> {
  while (!stop.aborted) {
    try {
      return await door.report()
    } catch (thrown) {
      const error = thrown instanceof ApiError ? thrown : new ApiError('PAGE_FAULT', false, String(thrown))
      if (!error.retryable && error.reason !== 'REPORT_NOT_READY') throw error
    }
    await sleep(EVERY_MS, stop)
  }
  return null
}
