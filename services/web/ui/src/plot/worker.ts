//! The chart worker: all panels of the page are painted here, so that a busy chart never holds up the hand.
import { type Message, Stage } from "./stage.js";

const scope = self as unknown as DedicatedWorkerGlobalScope;
const stage = new Stage((paint) => scope.requestAnimationFrame(paint), (panel) => scope.postMessage(panel));
scope.onmessage = (event: MessageEvent<Message>) => stage.receive(event.data);
