"""When a delivery that was certainly not sent is due again. Tenacity's strategies decide; the ledger keeps the time."""

from tenacity import RetryCallState, Retrying, wait_exponential_jitter

from dispatcher.settings.tables import Retry


def wait_seconds(retry: Retry, tries: int, retry_after: float | None) -> float:
    """Seconds until the next try after `tries` vain ones (1 = the first). What the vendor asks for wins if longer."""
    strategy = wait_exponential_jitter(
        initial=retry.first_seconds,
        max=retry.longest_seconds,
        exp_base=retry.factor,
        jitter=retry.first_seconds * retry.jitter,
    )
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = max(1, tries)
    return max(float(strategy(state)), retry_after or 0.0)
