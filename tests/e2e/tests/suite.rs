//! All files of end-to-end tests as one program: a file for each noun, and one for each thing that goes through all doors.

mod access;
mod build;
mod fields;
mod hostile;
mod metric;
mod project;
mod run;
