import { Module } from '@nestjs/common';
import { Passwords } from './passwords.js';
import { User } from './user.entity.js';
import { UserDirectory } from './user-directory.js';
import { UsersService } from './users.service.js';

export const userEntities = [User];

@Module({
  providers: [Passwords, UserDirectory, UsersService],
  exports: [Passwords, UserDirectory, UsersService],
})
export class UsersModule {}
