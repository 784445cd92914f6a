import '../../../../../../libs/users/src/user.entity.js';
