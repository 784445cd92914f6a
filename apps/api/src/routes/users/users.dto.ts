import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { IsString, MaxLength, MinLength, ValidateBy, type ValidationArguments } from 'class-validator';
import {
  findEmailProblem,
  findUsernameProblem,
  MAX_EMAIL_LENGTH,
  MAX_PASSWORD_BYTES,
  MAX_USERNAME_LENGTH,
} from '#libs/users';
import { ID } from '../../openapi/schemas.js';

/** Applies a rule that is in a feature and says what is wrong with a text. */
const Satisfies = (name: string, findProblem: (text: string) => string | undefined) =>
  ValidateBy({
    name,
    validator: {
      validate: (value: unknown) => typeof value === 'string' && findProblem(value) === undefined,
      defaultMessage: (wrong?: ValidationArguments) =>
        `${wrong!.property} ${findProblem(String(wrong!.value))}`,
    },
  });

@ApiSchema({ name: 'NewUser' })
export class RegisterUserDto {
  @ApiProperty({
    example: 'ada',
    minLength: 1,
    maxLength: MAX_USERNAME_LENGTH,
    description:
      'Letters and digits of any script and ASCII punctuation, without spaces (RFC 8265). Unique regardless of case.',
  })
  @Satisfies('isUsername', findUsernameProblem)
  @IsString()
  username!: string;

  @ApiProperty({
    example: 'correct horse battery staple',
    minLength: 1,
    maxLength: MAX_PASSWORD_BYTES,
    description: `At most ${MAX_PASSWORD_BYTES} bytes of UTF-8.`,
  })
  @MaxLength(MAX_PASSWORD_BYTES)
  @MinLength(1)
  @IsString()
  password!: string;

  @ApiProperty({ example: 'ada@example.org', format: 'email', maxLength: MAX_EMAIL_LENGTH })
  @Satisfies('isEmailAddress', findEmailProblem)
  @IsString()
  email!: string;
}

@ApiSchema({ name: 'RegisteredUser' })
export class RegisteredDto {
  @ApiProperty({ example: 'User created successfully' })
  message!: string;

  @ApiProperty({ ...ID, example: 1 })
  user_id!: number;
}

@ApiSchema({ name: 'Message' })
export class MessageDto {
  @ApiProperty({ example: 'User deleted successfully' })
  message!: string;
}
