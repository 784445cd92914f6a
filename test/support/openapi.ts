interface Media {
  schema?: { $ref?: string; type?: string };
  example?: object | string;
  examples?: Record<string, { value: object }>;
}

interface Described {
  operationId: string;
  summary: string;
  tags: string[];
  security: object[];
  parameters: { name: string; in: string; required?: boolean; schema: Record<string, unknown> }[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { content?: Record<string, Media> }>;
}

export interface Operation extends Described {
  /** In capitals. */
  method: string;
  path: string;
}

/** Every operation of an API document, in its order. */
export function operationsIn(document: { paths: Record<string, Record<string, Described>> }): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      ...operation,
    })),
  );
}
