import type { ValidationError } from '@nestjs/common';
import { Problem } from '#libs/errors';

/** class-validator's findings as one problem, a pointer for each field; the values themselves are not repeated. */
export function validationProblem(errors: ValidationError[]): Problem {
  return Problem.badRequest(
    'The request is not as it should be.',
    errors.flatMap(({ property, constraints }) =>
      Object.values(constraints ?? {}).map((detail) => ({ detail, pointer: `#/${property}` })),
    ),
  );
}
