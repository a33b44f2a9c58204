/** Name and code of an error. Its message is left out: a driver's may carry values. */
export function errorLabel(error: Error): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' || typeof code === 'number' ? `${error.name} ${code}` : error.name;
}
