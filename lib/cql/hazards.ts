/** What to do instead of a statement that is refused. */
export function hazardAdvice(hazard: string): string {
  switch (hazard) {
    case 'nondeterministic':
      return 'Compute the value in the application and pass it as a parameter.';
    case 'counter':
      return 'Counters cannot be repeated safely; use session() to count on one cluster.';
    case 'list':
      return 'Use a frozen list, a set or a map, or write the column through session().';
    case 'lwt':
      return 'Conditions are decided on each cluster alone; use session() to decide on one.';
    case 'ddl':
    case 'truncate':
      return 'Run it with onBoth(), which runs it on each cluster and reports each.';
    case 'use':
      return 'Set the keyspace in the options, or qualify the table name.';
    case 'multipleStatements':
      return 'Send one statement at a time, or use batch().';
    default:
      return 'The statement was not understood, so it cannot be shown to be safe; use session() for it.';
  }
}
