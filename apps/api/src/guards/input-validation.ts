import {
  ValidationPipe,
  type ArgumentMetadata,
  type PipeTransform,
  type ValidationError,
  type ValidationPipeOptions,
} from '@nestjs/common';
import { Problem } from '#libs/errors';

const OPTIONS: ValidationPipeOptions = {
  transform: true,
  whitelist: true,
  stopAtFirstError: true,
  exceptionFactory: validationProblem,
};

/**
 * Checks input against its DTO. Members of a body that the DTO does not have are ignored, as clients expect; an unknown
 * query parameter is refused, because a misspelt filter would filter nothing.
 */
export class InputValidation implements PipeTransform {
  private readonly lenient = new ValidationPipe(OPTIONS);
  private readonly strict = new ValidationPipe({ ...OPTIONS, forbidNonWhitelisted: true });

  transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    return (metadata.type === 'query' ? this.strict : this.lenient).transform(value, metadata);
  }
}

/** class-validator's findings as one problem, with one pointer per field; the values themselves are not repeated. */
function validationProblem(errors: ValidationError[]): Problem {
  return Problem.badRequest(
    'Some fields are missing or invalid.',
    errors.flatMap(({ property, constraints }) =>
      Object.entries(constraints ?? {}).map(([constraint, detail]) => ({
        detail: constraint === 'whitelistValidation' ? 'is not known here' : detail,
        pointer: `#/${property}`,
      })),
    ),
  );
}
