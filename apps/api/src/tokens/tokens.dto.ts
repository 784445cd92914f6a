import { ApiProperty } from '@nestjs/swagger';
import { IsString } from 'class-validator';

export class CredentialsDto {
  @ApiProperty({ example: 'ada' })
  @IsString()
  username!: string;

  @ApiProperty({ example: 'correct horse battery staple' })
  @IsString()
  password!: string;
}

export class TokenDto {
  @ApiProperty({ description: 'A JWT (RFC 7519), to be sent as `Authorization: Bearer <token>`.' })
  token!: string;
}
