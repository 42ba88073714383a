//! An address without anything behind it.
import { Link } from "wouter";
import { useTitle } from "../hooks.js";
import { Empty } from "../parts/empty.js";
import css from "../parts/common.module.css";

export function Lost({ what, id }: { what: "page" | "run" | "project"; id?: string }) {
  useTitle("Not found");
  return (
    <Empty title={`No such ${what}`}>
      {id !== undefined && <p>There is no {what} <code>{id}</code> that you may see.</p>}
      {what === "run" && <p>A run appears here as soon as its program reaches this server; an offline one is sent later. This page then shows it by itself.</p>}
      <p><Link href="/" className={css.link}>All projects</Link></p>
    </Empty>
  );
}
