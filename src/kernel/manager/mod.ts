/** The service manager that started this process: what it said, and what it is told. */
export * from "./environment.ts";
export * from "./notify_socket.ts";
export * from "./reporter.ts";
export * from "./service_manager.ts";
