import { ApiProperty } from '@nestjs/swagger';
import { IsEmail, IsNotEmpty, IsString, Matches, MaxLength } from 'class-validator';

export class RegisterUserDto {
  @ApiProperty({ example: 'ada', maxLength: 128, description: 'Unique whatever its case.' })
  @Matches(/^\P{Cc}*$/u, { message: 'username must not contain control characters' })
  @Matches(/^(?!\s)[^]*(?<!\s)$/u, { message: 'username must not begin or end with white space' })
  @MaxLength(128)
  @IsNotEmpty()
  @IsString()
  username!: string;

  @ApiProperty({ example: 'correct horse battery staple', description: 'At most 72 bytes of UTF-8.' })
  @IsNotEmpty()
  @IsString()
  password!: string;

  @ApiProperty({ example: 'ada@example.org' })
  @IsEmail()
  @MaxLength(254)
  @IsString()
  email!: string;
}

export class RegisteredDto {
  @ApiProperty({ example: 'User created successfully' })
  message!: string;

  @ApiProperty({ example: 1 })
  user_id!: number;
}

export class MessageDto {
  @ApiProperty({ example: 'User deleted successfully' })
  message!: string;
}
