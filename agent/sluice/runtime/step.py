"""Runs one step of a job: condition, connections, handler with retries and time-out, result."""

from __future__ import annotations

import traceback

from sluice.errors import CanceledError, PermissionPendingError, SluiceError
from sluice.runtime.breakpoints import EDITED, Answer, Moment, Next, edited, hold
from sluice.runtime.cancellation import TIMED_OUT, Cancellation
from sluice.runtime.conditions import holds
from sluice.runtime.events import StepFinished, StepStarted
from sluice.runtime.job_state import JobState
from sluice.runtime.request import Result, StepRequest, WaitFor
from sluice.runtime.step_plan import Host, StepPlan, banner, plan_step, run_plan
from sluice.runtime.step_scope import StepScope
from sluice.values import dataclass

MAX_RETRIES = 10
CANCELED_ISSUE = "The Operation will be canceled. The next steps may not contain expected logs."
FORK = "References service endpoint. PRs from repository forks are not allowed to access secrets in the pipeline."
SKIPPED_BY_HAND = "Skipped at a breakpoint."
ABORTED = "Aborted at a breakpoint."
SKIPPED = "Skipping step due to condition evaluation."


@dataclass(frozen=True, slots=True)
class Pending:
    """The step cannot start: a connection waits for its Permit. Or it has started, and waits for what `wait` says."""

    reason: str
    wait: WaitFor | None = None


class StepRunner:
    """Runs the steps of one job, one after another, and knows the one that is running."""

    def __init__(self, job: JobState, host: Host, cancellation: Cancellation) -> None:
        self._job = job
        self._host = host
        self._cancellation = cancellation
        self._running: StepScope | None = None

    def job_canceled(self) -> None:
        """The job was canceled, in whatever thread: the running step goes on only if its condition still holds."""
        job = self._job
        with job.lock:
            job.canceled, job.reason = True, self._cancellation.reason
            job.update_status()
            scope = self._running
            goes_on = scope is None or self._still_holds(scope.step)
        # Nothing is told from here: who cancels may hold what `emit` waits for.
        if scope is not None and not goes_on:
            scope.cancellation.cancel(self._cancellation.reason)

    def run(self, index: int) -> Result | Pending:
        """Run the step at this place to its end; `Pending` when it has to wait, and then nothing has happened."""
        job = self._job
        step = job.request.steps[index]
        job.variables.recompute()
        self._announce(step)
        with self._cancellation.scope(shielded=True) as cancellation:
            scope = StepScope(job, step, cancellation)
            trace: list[str] = []
            try:
                # One look at the status: a cancellation comes before it, or finds the step running.
                with job.lock:
                    runs = holds(step.condition, job, trace.append)
                    if runs:
                        self._running = scope
            except SluiceError as error:
                return self._refused(index, scope, error)
            try:
                return self._run(index, scope) if runs else self._skip(index, scope, [SKIPPED, *trace])
            finally:
                self._running = None

    def end_at_once(self, index: int) -> None:
        """The job was killed: this step never starts."""
        job = self._job
        job.emit(
            StepFinished(
                job=job.request.id,
                step=job.request.steps[index].id,
                result=Result.SKIPPED,
                message="The job was ended before this step.",
                progress=job.progress(index + 1),
            )
        )

    def _run(self, index: int, scope: StepScope) -> Result | Pending:
        if _is_fork_without_secrets(scope):
            return self._skip(index, scope, [FORK])
        try:
            plan = plan_step(scope.job, scope.step, self._host)
        except PermissionPendingError as pending:
            if self._cancellation.canceled:
                return self._refused(index, scope, pending)
            return Pending(str(pending))
        except SluiceError as error:
            return self._refused(index, scope, error)
        if scope.step.answer is None:
            self._start(scope)
            scope.say(f"##[section]Starting: {scope.step.display_name}\n{banner(plan, scope.step)}")
        for warning in _taken(scope.job.variables.warnings):
            scope.issue("warning", warning)
        scope.warn_unmasked()
        goes_on = scope.step.answer is not None
        answer = None if goes_on else self._hold(scope, plan, Moment.BEFORE)
        if answer is None or not self._is_ended(scope, answer):
            self._carry_out(scope, plan, answer)
        self._again_while_wanted(scope, plan)
        if scope.waits is not None and scope.result == Result.SUCCEEDED:
            return Pending(f"the step {scope.step.display_name} waits", scope.waits)
        return self._finish(index, scope)

    def _carry_out(self, scope: StepScope, plan: StepPlan | None, answer: Answer | None) -> None:
        """Run the handler, as often as the pipeline says; with another script when a person wrote one."""
        step = scope.step
        if answer is not None and answer.script is not None:
            scope.issue("warning", EDITED)
            step, plan = edited(step, answer.script), None
        try:
            plan = plan or plan_step(scope.job, step, self._host)
        except SluiceError as error:
            scope.fail(str(error))
        else:
            with scope.cancellation.deadline(step.timeout_seconds):
                self._attempts(scope, plan)
        self._conclude(scope)

    def _again_while_wanted(self, scope: StepScope, plan: StepPlan | None) -> None:
        """At a breakpoint: run a step that failed again, for as long as somebody wants that."""
        while scope.result == Result.FAILED:
            answer = self._hold(scope, plan, Moment.FAILED)
            if answer is None or self._is_ended(scope, answer) or answer.next is Next.CONTINUE:
                return
            self._begin_anew(scope)
            # Planned anew: what made it fail may have been mended elsewhere, such as a connection.
            self._carry_out(scope, None, answer)

    def _hold(self, scope: StepScope, plan: StepPlan | None, moment: Moment) -> Answer | None:
        return hold(self._host.breakpoints, scope, plan, moment, self._cancellation)

    def _is_ended(self, scope: StepScope, answer: Answer) -> bool:
        """Whether the answer ends the step, and does so."""
        if answer.next is Next.SKIP:
            scope.result, scope.message = Result.SKIPPED, SKIPPED_BY_HAND
        elif answer.next is Next.ABORT:
            self._cancellation.cancel(ABORTED)
            if scope.result is None:
                scope.result, scope.message = Result.CANCELED, ABORTED
        return answer.next in {Next.SKIP, Next.ABORT}

    def _begin_anew(self, scope: StepScope) -> None:
        """Forget how the last attempt ended, a time-out included."""
        job = self._job
        scope.result, scope.message, scope.done = None, "", False
        with job.lock:
            scope.cancellation = self._cancellation.child(shielded=True)
            scope.stop = scope.cancellation.child()
            ends = self._cancellation.canceled and not self._still_holds(scope.step)
        if ends:  # in that very moment
            scope.cancellation.cancel(self._cancellation.reason)

    def _attempts(self, scope: StepScope, plan: StepPlan) -> None:
        wanted = scope.step.retry_count
        if wanted > MAX_RETRIES:
            scope.issue("warning", f"The retry count {wanted} is too high. Maximum value is set: {MAX_RETRIES}")
        retries = min(wanted, MAX_RETRIES)
        for attempt in range(retries + 1):
            if scope.cancellation.canceled:  # while connections were opened, say
                return
            _handle(scope, plan)
            if scope.result != Result.FAILED or scope.cancellation.canceled or attempt == retries:
                return
            delay = (attempt + 1) ** 2
            scope.issue(
                "warning",
                f"RetryHelper encountered task failure, will retry (attempt #: {attempt + 1} out of {retries}) "
                f"after {delay * 1000} ms",
            )
            if scope.cancellation.wait(delay):
                return
            scope.result, scope.message, scope.done = None, "", False
            scope.stop = scope.cancellation.child()

    def _conclude(self, scope: StepScope) -> None:
        """What a cancellation or a time-out makes of the result."""
        cancellation = scope.cancellation
        if cancellation.timed_out:
            scope.issue("error", TIMED_OUT)
            scope.result, scope.message = Result.FAILED, TIMED_OUT
        elif cancellation.canceled:
            scope.issue("error", CANCELED_ISSUE)
            scope.result = Result.CANCELED
        if scope.result is None:
            scope.result = Result.SUCCEEDED

    def _refused(self, index: int, scope: StepScope, error: SluiceError) -> Result:
        """The step fails before its handler could start."""
        self._start(scope)
        scope.say(f"##[section]Starting: {scope.step.display_name}")
        scope.fail(str(error))
        self._conclude(scope)
        self._again_while_wanted(scope, None)
        return self._finish(index, scope)

    def _skip(self, index: int, scope: StepScope, why: list[str]) -> Result:
        self._start(scope)
        scope.say("\n".join(why))
        scope.result, scope.message = Result.SKIPPED, why[0]
        return self._finish(index, scope, section=False)

    def _announce(self, step: StepRequest) -> None:
        self._job.define(
            {
                "System.TaskDisplayName": step.display_name,
                "System.TaskInstanceId": step.id,
                "System.TaskInstanceName": step.name,
                "Task.DisplayName": step.display_name,
            }
        )

    def _start(self, scope: StepScope) -> None:
        self._job.emit(StepStarted(job=self._job.request.id, step=scope.step.id))

    def _finish(self, index: int, scope: StepScope, *, section: bool = True) -> Result:
        job = self._job
        result = scope.result or Result.SUCCEEDED
        if result == Result.FAILED and scope.step.continue_on_error:
            result = Result.SUCCEEDED_WITH_ISSUES
        with job.lock:
            # From here on a cancellation doesn't touch this step.
            self._running = None
            job.merge(result)
            job.update_status()
        scope.seal_outputs()
        if section:
            scope.say(f"##[section]Finishing: {scope.step.display_name}")
        job.emit(
            StepFinished(
                job=job.request.id,
                step=scope.step.id,
                result=result,
                message=job.masker.mask_text(scope.message),
                outputs=dict(scope.outputs),
                progress=job.progress(index + 1),
            )
        )
        return result

    def _still_holds(self, step: StepRequest) -> bool:
        try:
            return holds(step.condition, self._job, lambda _: None)
        except SluiceError:
            return False


def _is_fork_without_secrets(scope: StepScope) -> bool:
    """Whether a pull request from a fork asks for a connection that it must not get."""
    step, variables = scope.step, scope.job.variables
    names = {asked.name.lower() for asked in (*step.connection_inputs, *step.file_inputs)}
    return (
        any(name.lower() in names and value.strip() for name, value in step.inputs.items())
        and variables.flag("system.restrictSecrets")
        and variables.flag("system.pullRequest.isFork")
    )


def _handle(scope: StepScope, plan: StepPlan) -> None:
    """Run the handler; whatever it raises becomes the step's result."""
    try:
        run_plan(plan, scope)
    except CanceledError:
        scope.job.check()
        scope.complete(Result.CANCELED)
    except SluiceError as error:
        scope.job.check()
        scope.fail(str(error))
    except Exception as error:  # noqa: BLE001  # a handler's defect fails its step, not the job
        scope.job.check()
        scope.fail(f"{scope.step.task} broke: {type(error).__name__}: {error}")
        scope.debug(traceback.format_exc())


def _taken(warnings: list[str]) -> list[str]:
    taken = list(warnings)
    warnings.clear()
    return taken
