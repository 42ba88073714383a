//! Where an error of the page itself ends: what happened, what is safe, what to do.
import { Component, type ReactNode } from "react";
import { Empty } from "../parts/empty.js";

export class Boundary extends Component<{ children: ReactNode }, { error: Error | undefined }> {
  override state: { error: Error | undefined } = { error: undefined };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <Empty title="This page stopped" role="alert" action={{ text: "Reload", run: () => location.reload() }}>
        <p>The page met an error of its own: <code>{error.message}</code></p>
        <p>Your data is safe: the page only reads. Trainings go on.</p>
      </Empty>
    );
  }
}
