import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { IsString, MaxLength } from 'class-validator';
import { MAX_LOGIN_PASSWORD_LENGTH, MAX_LOGIN_USERNAME_LENGTH } from '#libs/users';

@ApiSchema({ name: 'Credentials' })
export class CredentialsDto {
  @ApiProperty({ example: 'ada', maxLength: MAX_LOGIN_USERNAME_LENGTH })
  @MaxLength(MAX_LOGIN_USERNAME_LENGTH)
  @IsString()
  username!: string;

  @ApiProperty({ example: 'correct horse battery staple', maxLength: MAX_LOGIN_PASSWORD_LENGTH })
  @MaxLength(MAX_LOGIN_PASSWORD_LENGTH)
  @IsString()
  password!: string;
}

@ApiSchema({ name: 'Token' })
export class TokenDto {
  @ApiProperty({ description: 'A JWT (RFC 7519), to be sent as `Authorization: Bearer <token>`.' })
  token!: string;

  @ApiProperty({ type: 'integer', minimum: 1, example: 3600, description: 'In seconds from now.' })
  expires_in!: number;

  @ApiProperty({ enum: ['Bearer'] })
  token_type!: 'Bearer';
}
