//! The chart worker: all panels of the page are painted here, so that a busy chart never holds up the hand.
import { type Message, Stage } from "./stage.js";

const scope = self as unknown as DedicatedWorkerGlobalScope;
const clock = { now: () => performance.now(), frame: (paint: () => void) => void scope.requestAnimationFrame(paint), later: (call: () => void, ms: number) => void scope.setTimeout(call, ms) };
const stage = new Stage(clock, (panel) => scope.postMessage(panel));
scope.onmessage = (event: MessageEvent<Message>) => stage.receive(event.data);
