/** A gateway of the same cluster answers well within this, or is as good as gone. */
const DEADLINE_MS = 500;

/** Whether a gateway's health port answers anything: a process that is gone refuses, a host that is gone is silent. */
export async function answers(address: string): Promise<boolean> {
  try {
    const answer = await fetch(`${address}/livez`, { signal: AbortSignal.timeout(DEADLINE_MS) });
    await answer.body?.cancel();
    return true;
  } catch {
    return false;
  }
}
